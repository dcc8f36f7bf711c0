#!/usr/bin/env python3
"""Writes ONNX's own single-node test cases as plain files any language can read.

    python3 -m venv .venv && .venv/bin/pip install onnx==1.23.2 safetensors numpy
    .venv/bin/python onnx_node_cases.py OUT [--max-kib 64]

OUT/cases.json   a case on each line: name, operator, attributes, for each input of the node the number of its
                 tensor (null if it is left out), for each output tensor its place among the node's outputs
OUT/cases.safetensors   every tensor, as "<case>/<set>/in/<i>" and "<case>/<set>/out/<i>"

Only cases of one node whose tensors are f32, f64, i32, i64 or bool. A formula that an If, Loop or Scan carries out is
an attribute, {"inputs", "outputs", "nodes"} by name; where such a node has sequences or optional values, the case is
written without tensors and with "plain": false. ONNX's own tolerance is rtol 1e-3, atol 1e-7. ONNX is Apache-2.0: keep its notice beside files made from it.
"""
import argparse
import json
import math
import pathlib

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.backend.test.case.node import collect_testcases
from safetensors.numpy import save_file

PLAIN = {np.dtype(t) for t in ("float32", "float64", "int32", "int64", "bool")}


CONTROL = ("If", "Loop", "Scan")


def formula(graph):
    """A graph within a node."""
    nodes = [
        dict(op=n.op_type, domain=n.domain, inputs=list(n.input), outputs=list(n.output),
             attributes={a.name: attribute(a) for a in n.attribute})
        for n in graph.node
    ]
    assert not graph.initializer, "constants are nodes"
    return dict(inputs=[v.name for v in graph.input], outputs=[v.name for v in graph.output], nodes=nodes)


def attribute(a):
    value = onnx.helper.get_attribute_value(a)
    if isinstance(value, onnx.GraphProto):
        return formula(value)
    if isinstance(value, onnx.TypeProto):
        return {"type": value.WhichOneof("value")}
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, onnx.TensorProto):
        return {"tensor": numpy_helper.to_array(value).tolist(), "dtype": str(numpy_helper.to_array(value).dtype)}
    if isinstance(value, (int, float, str)):
        return value
    if isinstance(value, (list, tuple)) or hasattr(value, "__iter__"):
        return [v.decode() if isinstance(v, bytes) else v for v in value]
    raise TypeError(type(value))


def plain(value):
    """JSON has no NaN."""
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [plain(v) for v in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--max-kib", type=int, default=64, help="skip cases with more tensor data than this")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)

    cases, tensors, skipped = [], {}, {}
    for case in collect_testcases(None):
        if case.model is None or len(case.model.graph.node) != 1:
            skipped["not one node"] = skipped.get("not one node", 0) + 1
            continue
        node = case.model.graph.node[0]
        ends = [*case.model.graph.input, *case.model.graph.output]
        fits = node.op_type not in CONTROL or all(v.type.WhichOneof("value") == "tensor_type" for v in ends)
        try:
            if not fits:
                case.data_sets = []
            sets = [[[np.asarray(t) for t in side] for side in data] for data in case.data_sets]
        except Exception:  # sequences, optionals, maps
            skipped["not plain tensors"] = skipped.get("not plain tensors", 0) + 1
            continue
        arrays = [t for data in sets for side in data for t in side]
        if any(t.dtype not in PLAIN for t in arrays):
            skipped["dtype"] = skipped.get("dtype", 0) + 1
            continue
        if sum(t.nbytes for t in arrays) > args.max_kib * 1024:
            skipped["size"] = skipped.get("size", 0) + 1
            continue
        try:
            graphs = [a for a in node.attribute if a.HasField("g")]
            if graphs and node.op_type not in CONTROL:
                raise TypeError("a formula")
            attributes = {a.name: attribute(a) for a in node.attribute}
            json.dumps(attributes)
        except TypeError:
            skipped["attribute"] = skipped.get("attribute", 0) + 1
            continue
        opset = max((o.version for o in case.model.opset_import if o.domain in ("", "ai.onnx")), default=0)
        names = {v.name: i for i, v in enumerate(case.model.graph.input)}
        cases.append(
            dict(
                name=case.name, op=node.op_type, domain=node.domain, opset=opset, attributes=attributes,
                inputs=[names.get(n) if n else None for n in node.input], outputs=[i for i, n in enumerate(node.output) if n],
                **({} if fits else {"plain": False}),
            )
        )
        for s, (ins, outs) in enumerate(sets):
            for side, values in (("in", ins), ("out", outs)):
                for i, t in enumerate(values):
                    tensors[f"{case.name}/{s}/{side}/{i}"] = np.ascontiguousarray(t) if t.ndim else t.reshape(()).copy()
    lines = ",\n".join(json.dumps(plain(c), separators=(",", ":"), allow_nan=False) for c in cases)
    (args.out / "cases.json").write_text(f"[\n{lines}\n]\n")
    save_file(tensors, str(args.out / "cases.safetensors"))
    ops = sorted({c["op"] for c in cases})
    print(f"{len(cases)} cases of {len(ops)} ops, {len(tensors)} tensors; skipped {skipped}")
    print(" ".join(f"{o}:{sum(c['op'] == o for c in cases)}" for o in ops))


if __name__ == "__main__":
    main()

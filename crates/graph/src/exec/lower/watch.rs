//! What anomaly mode has to know of a step.

use chainrule_tensor::Layout;
use chainrule_tensor::kernels::elementwise::Scalar;
use rustc_hash::FxHashMap;

use super::{Lowerer, Place};
use crate::exec::anomaly::{self, Leaf, LeafPlace, Watch};
use crate::ir::Node;
use crate::origin::Origin;
use crate::prim::Op;
use crate::types::NodeId;

impl Lowerer<'_> {
    /// In anomaly mode: has the step just made, which carries out one node, looked at.
    pub(super) fn watch(&mut self, group: &[NodeId], read: &[(usize, Layout)]) {
        let (true, &[id]) = (self.anomaly, group) else { return };
        let node = &self.nodes[id.index()];
        let inputs: FxHashMap<&(usize, Layout), usize> = read.iter().zip(0..).collect();
        let operand = |a: &NodeId| {
            let place = match self.place(*a) {
                Place::Immediate(value) => anomaly::Place::Immediate(match value {
                    Scalar::Real(x) => x,
                    Scalar::Int(i) => i as f64,
                    Scalar::Truth(t) => f64::from(u8::from(t)),
                }),
                Place::At(buffer, layout) => {
                    let i = *inputs.get(&(buffer, layout.clone()))?;
                    anomaly::Place::Input(i, layout)
                }
            };
            let arg = &self.nodes[a.index()];
            let label = match &arg.op {
                _ if matches!(place, anomaly::Place::Immediate(_)) => "a number".into(),
                _ => self.watched(*a),
            };
            // A number stands where it is used, whatever line used it first.
            let number = matches!(place, anomaly::Place::Immediate(_));
            let origin = if number { &node.origin } else { &arg.origin };
            Some(anomaly::Operand { label, ty: arg.ty.clone(), origin: origin.clone(), place })
        };
        let watch = Watch { op: node.op.name(), operands: node.args.iter().filter_map(operand).collect() };
        if let Some(step) = self.out.steps.last_mut() {
            step.about.watch = Some(watch);
        }
    }

    /// In anomaly mode: has the value of a leaf, which lies in `buffer`, looked at before the steps.
    pub(super) fn watch_leaf(&mut self, id: NodeId, buffer: usize) {
        let size = self.nodes[id.index()].ty.shape.size();
        let origin = self.nodes[id.index()].origin.clone();
        self.watch_given(id, LeafPlace::Buffer(buffer, size), self.watched(id), origin);
    }

    /// In anomaly mode: has a number that steps hold themselves looked at, if `id` is one; it stands at `user`.
    pub(super) fn watch_number(&mut self, id: NodeId, user: &Node) {
        let node = &self.nodes[id.index()];
        let id = if let Op::Broadcast(_) = node.op { node.args[0] } else { id };
        // The broadcast in between may stand on another line, where the number was used first.
        let seen = !matches!(user.op, Op::Broadcast(_));
        if let (true, Op::Scalar(s)) = (seen, &self.nodes[id.index()].op)
            && let Some(x) = s.real().filter(|x| x.is_nan())
        {
            self.watch_given(id, LeafPlace::Immediate(x), "a number".into(), user.origin.clone());
        }
    }

    fn watch_given(&mut self, id: NodeId, place: LeafPlace, label: String, origin: Origin) {
        if self.anomaly {
            let op = self.nodes[id.index()].op.name();
            self.out.leaves.push(Leaf { op, label, origin, place });
        }
    }

    /// What a value is called in a message.
    pub(super) fn watched(&self, id: NodeId) -> String {
        match &self.nodes[id.index()].op {
            Op::Input(p) => format!("`{}`", self.leaves[p.index].name),
            Op::Constant(_) => "a constant".into(),
            op => op.name().into(),
        }
    }
}

"""What TensorBoard's own reader finds in data/events, which events.rs has written.

    UPDATE_EVENTS=1 cargo test --test judges events
    pip install tensorboard pillow; python tests/judges/tensorboard_events.py
"""

import io
from pathlib import Path

from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

events = EventAccumulator(str(Path(__file__).parent / "data" / "events"))
events.Reload()
(loss,) = events.Scalars("loss/train")
assert (loss.step, loss.value) == (3, 0.25)
(weight,) = events.Histograms("block.hidden.weight")
found = weight.histogram_value
assert (weight.step, found.min, found.max, found.num, found.sum) == (3, -1, 2, 4, 2)
assert sum(found.bucket) == 4
for name, step, size, pixels in [
    ("grey", 4, (3, 2), [0, 16, 32, 48, 64, 80]),
    ("colour", 5, (2, 2), [(0, 64, 128), (16, 80, 143), (32, 96, 159), (48, 112, 175)]),
]:
    (image,) = events.Images(name)
    assert (image.step, image.width, image.height) == (step, *size)
    opened = Image.open(io.BytesIO(image.encoded_image_string))
    found = [opened.getpixel((x, y)) for y in range(opened.height) for x in range(opened.width)]
    assert found == pixels, found
nodes = {node.name: node for node in events.Graph().node}
assert all(source in nodes for node in nodes.values() for source in node.input)
assert {"input", "output", "block/hidden/weight", "output/bias"} <= nodes.keys(), nodes.keys()
shape = [dim.size for dim in nodes["output"].attr["_output_shapes"].list.shape[0].dim]
assert shape == [-1, 2], shape
assert b"events.rs" in nodes["output"].attr["line"].s
print("TensorBoard reads", events.Tags(), "and a graph of", len(nodes), "nodes")

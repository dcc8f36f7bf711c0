"""Files between PyTorch and here, both ways, for loading.rs.

    UPDATE_LOADING=1 cargo test --test judges loading     # writes data/ours.safetensors
    pip install torch safetensors; python tests/judges/torch_loading.py

Saves the state of two small networks as their users would, of small random weights and in mixed widths, and reads the file
that was saved here into a third. `data/loading.txt` has what each predicts in f64: its name and all outputs. Element i of the
inputs is sin(0.37 i²).
"""

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn

data = Path(__file__).parent / "data"


class Reader(nn.Module):
    """The last layer sees both directions of two layers."""

    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(3, 5, num_layers=2, bidirectional=True, batch_first=True)
        self.head = nn.Linear(10, 2)

    def forward(self, x):
        return self.head(self.lstm(x)[0])


def images(classes):
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(64, 16), nn.Tanh(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, classes),
    )


def inputs(*shape):
    n = torch.Size(shape).numel()
    return torch.sin(0.37 * torch.arange(n, dtype=torch.float64) ** 2).reshape(shape)


def predicted(name, net, x):
    net = net.double().eval()
    with torch.no_grad():
        lines.append(f"{name}|" + " ".join(f"{float(y):.12g}" for y in net(x).flatten()))


torch.manual_seed(1)
lines = []
cnn = images(3)
for _ in range(20):  # statistics that are not those of the start
    cnn(2 * torch.randn(16, 1, 8, 8) + 0.5)
state = {k: v.contiguous() for k, v in cnn.state_dict().items()}
state["5.weight"], state["7.weight"] = state["5.weight"].half(), state["7.weight"].bfloat16()
save_file(state, data / "torch_images.safetensors")
cnn.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in state.items()})
predicted("images", cnn, inputs(5, 1, 8, 8))

reader = Reader()
save_file(reader.state_dict(), data / "torch_reader.safetensors")
predicted("reader", reader, inputs(2, 7, 3))

ours, theirs = load_file(data / "ours.safetensors"), images(10)
places = {"conv": "0", "norm": "1", "hidden0": "5", "hidden1": "7", "output": "9"}
renamed = {}
for name, value in ours.items():
    place, kind = name.rsplit(".", 1)
    renamed[f"{places[place]}.{kind}"] = value.T if value.ndim == 2 else value
theirs.load_state_dict({"1.num_batches_tracked": torch.tensor(0), **renamed})  # refuses what is missing or left over
predicted("ours", theirs, inputs(5, 1, 8, 8))

(data / "loading.txt").write_text("\n".join(lines) + "\n")

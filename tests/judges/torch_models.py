"""Outputs and gradients of PyTorch's residual network and MobileNetV2 in f64, for models.rs.

    pip install torch; python tests/judges/torch_models.py > tests/judges/data/models.txt

The networks are the published ones under the published names, made narrower. Element i of the k-th parameter, in the order
of its name, is sin(0.37 (i + 1000 k)²) times √(2 / fan-in) (of a vector: 1 + sin(…)/4 for weights and variances, sin(…)/4 for
others); the images are those of k = -1. A line is a network, whether it trains, the outputs, and for each parameter its name,
Σ g cos(i) and ‖g‖ of its gradient g, all of Σ output·cos(i). A matrix is numbered as PyTorch has it: (outputs, inputs).
"""

import torch
from torch import nn

torch.set_default_dtype(torch.float64)


class Block(nn.Module):
    def __init__(self, inputs, channels, stride, bottleneck):
        super().__init__()
        self.bottleneck = bottleneck
        outputs = 4 * channels if bottleneck else channels
        if bottleneck:
            self.conv1 = nn.Conv2d(inputs, channels, 1, bias=False)
            self.conv2 = nn.Conv2d(channels, channels, 3, stride, 1, bias=False)
            self.conv3 = nn.Conv2d(channels, outputs, 1, bias=False)
            self.bn3 = nn.BatchNorm2d(outputs)
        else:
            self.conv1 = nn.Conv2d(inputs, channels, 3, stride, 1, bias=False)
            self.conv2 = nn.Conv2d(channels, outputs, 3, 1, 1, bias=False)
        self.bn1, self.bn2 = nn.BatchNorm2d(channels), nn.BatchNorm2d(channels)
        self.downsample = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        y = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        if self.bottleneck:
            y = self.bn3(self.conv3(torch.relu(y)))
        return torch.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module):
    def __init__(self, width, blocks, bottleneck, classes):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, width, 7, 2, 3, bias=False), nn.BatchNorm2d(width)
        inputs = width
        for size, n in enumerate(blocks):
            channels, layers = width << size, []
            for block in range(n):
                layers.append(Block(inputs, channels, 2 if block == 0 and size > 0 else 1, bottleneck))
                inputs = 4 * channels if bottleneck else channels
            setattr(self, f"layer{size + 1}", nn.Sequential(*layers))
        self.fc = nn.Linear(inputs, classes)

    def forward(self, x):
        x = nn.functional.max_pool2d(torch.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        for size in range(4):
            x = getattr(self, f"layer{size + 1}")(x)
        return self.fc(x.mean((2, 3)))


def normed(inputs, outputs, size, stride=1, groups=1):
    conv = nn.Conv2d(inputs, outputs, size, stride, size // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU6())


class Inverted(nn.Module):
    def __init__(self, inputs, outputs, stride, expansion):
        super().__init__()
        wide = inputs * expansion
        layers = [normed(inputs, wide, 1)] if expansion != 1 else []
        layers += [normed(wide, wide, 3, stride, wide), nn.Conv2d(wide, outputs, 1, bias=False), nn.BatchNorm2d(outputs)]
        self.conv, self.past = nn.Sequential(*layers), stride == 1 and inputs == outputs

    def forward(self, x):
        return x + self.conv(x) if self.past else self.conv(x)


class MobileNetV2(nn.Module):
    def __init__(self, classes):
        super().__init__()
        layers, inputs = [normed(3, 32, 3, 2)], 32
        for expansion, outputs, blocks, first in [
            (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1),
        ]:
            for block in range(blocks):
                layers.append(Inverted(inputs, outputs, first if block == 0 else 1, expansion))
                inputs = outputs
        self.features = nn.Sequential(*layers, normed(320, 1280, 1))
        self.classifier = nn.Sequential(nn.Dropout(0.0), nn.Linear(1280, classes))

    def forward(self, x):
        return self.classifier(self.features(x).mean((2, 3)))


def filled(shape, k):
    n = int(torch.Size(shape).numel())
    return torch.sin(0.37 * (torch.arange(n, dtype=torch.float64) + 1000 * k) ** 2).reshape(shape)


def judge(name, model, trains):
    state = {k: v for k, v in model.state_dict().items() if not k.endswith("num_batches_tracked")}
    for k, path in enumerate(sorted(state)):
        shape = state[path].shape
        values = filled(shape, k)
        if len(shape) > 1:
            values = values * (2 / shape[1:].numel()) ** 0.5
        else:
            values = values / 4 + (1 if path.endswith(("weight", "var")) else 0)
        state[path].copy_(values)
    model.train(trains)
    y = model(filled([4, 3, 64, 64], -1))
    weighed = lambda t: float((t.flatten() * torch.cos(torch.arange(t.numel(), dtype=torch.float64))).sum())
    (y.flatten() * torch.cos(torch.arange(y.numel(), dtype=torch.float64))).sum().backward()
    sums = " ".join(f"{path}={weighed(p.grad):.13g},{float(p.grad.norm()):.13g}" for path, p in model.named_parameters())
    print("|".join([name, str(int(trains)), " ".join(f"{float(v):.13g}" for v in y.detach().flatten()), sums]))


for trains in (False, True):
    judge("resnet18", ResNet(8, [2, 2, 2, 2], False, 6), trains)
    judge("resnet50", ResNet(4, [3, 4, 6, 3], True, 6), trains)
    if not trains:
        judge("mobilenet_v2", MobileNetV2(6), trains)  # trained, it drops at random

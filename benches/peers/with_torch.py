"""The workloads in PyTorch, by autograd and by hand-written updates of its own in-place operations."""

from protocol import arguments, serve

NAME, KIND, RATE, params, data, direction = arguments()

import torch
import torch.nn.functional as F

params = [torch.from_numpy(p).requires_grad_() for p in params]
data = [torch.from_numpy(x) for x in data]


def layers(p, x, activation):
    for i in range(0, len(p), 2):
        x = torch.addmm(p[i + 1], x, p[i])
        if i + 2 < len(p):
            x = activation(x)
    return x


def logistic(p):
    return F.binary_cross_entropy_with_logits(layers(p, data[0], torch.tanh), data[1])


def classifier(p, activation=torch.relu):
    return F.cross_entropy(layers(p, data[0], activation), data[1])


def formula(p):
    a, b, c = p
    return (torch.tanh(a * b + c) * torch.sigmoid(a) - torch.exp(-a * a)).sum()


def lenet(p):
    a = F.max_pool2d(F.relu(F.conv2d(data[0], p[0], p[1], padding="same")), 2)
    a = F.max_pool2d(F.relu(F.conv2d(a, p[2], p[3])), 2)
    return F.cross_entropy(layers(p[4:], a.flatten(1), torch.relu), data[1])


def residual(p):
    h = F.relu(F.conv2d(p[4], p[0], p[1], padding="same"))
    return F.relu(F.conv2d(h, p[2], p[3], padding="same") + p[4]).square().mean()


def lstm(p):
    zero = data[0].new_zeros(1, data[0].shape[1], p[1].shape[0])
    weights = [p[0].T, p[1].T, p[2], torch.zeros_like(p[2])]
    return torch.lstm(data[0], (zero, zero), weights, True, 1, 0.0, True, False, False)[0].square().mean()


def transformer(p):
    x = p[12]
    h = F.layer_norm(x, x.shape[-1:], p[0], p[1], 1e-5)
    q, k, v = (h @ p[2] + p[3]).view(8, 128, 3, 4, 64).permute(2, 0, 3, 1, 4)
    a = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(8, 128, 256)
    x = x + (a @ p[4] + p[5])
    h = F.layer_norm(x, x.shape[-1:], p[6], p[7], 1e-5)
    return (x + (F.gelu(h @ p[8] + p[9]) @ p[10] + p[11])).square().mean()


FORMULAS = {
    "W1": logistic, "W1t": logistic, "W2": logistic, "W5": formula, "W6a": lenet, "W6b": residual, "W7": lstm,
    "W8": transformer, "W9": lambda p: classifier(p, torch.tanh),
}
loss_of = FORMULAS.get(NAME, classifier)


def training():
    memory = [[torch.zeros_like(p) for p in params] for _ in range(2)]
    steps = 0

    def step():
        nonlocal steps
        steps += 1
        loss = loss_of(params)
        gradients = torch.autograd.grad(loss, params)
        with torch.no_grad():
            if KIND == "sgd":
                torch._foreach_add_(params, gradients, alpha=-RATE)
            elif KIND == "momentum":
                torch._foreach_mul_(memory[0], 0.9)
                torch._foreach_add_(memory[0], gradients)
                torch._foreach_add_(params, memory[0], alpha=-RATE)
            else:
                torch._foreach_lerp_(memory[0], gradients, 0.1)
                torch._foreach_mul_(memory[1], 0.999)
                torch._foreach_addcmul_(memory[1], gradients, gradients, 0.001)
                below = torch._foreach_div(memory[1], 1 - 0.999**steps)
                torch._foreach_sqrt_(below)
                torch._foreach_add_(below, 1e-8)
                torch._foreach_addcdiv_(params, memory[0], below, -RATE / (1 - 0.9**steps))
        return loss.detach()

    return step


def function():
    def gradient():
        loss = loss_of(params)
        return [loss.detach(), *torch.autograd.grad(loss, params)]

    def hessian():
        gradients = torch.func.grad(loss_of)
        along = [torch.from_numpy(v) for v in direction]
        fixed = [p.detach() for p in params]
        _, product = torch.func.jvp(lambda *p: tuple(gradients(list(p))), tuple(fixed), tuple(along))
        return [sum(h.square().sum() for h in product), *product]

    return gradient if KIND == "gradient" else hessian


first = (lambda r: float(r)) if KIND in ("sgd", "momentum", "adam") else (lambda r: float(r[0]))
serve(training() if KIND in ("sgd", "momentum", "adam") else function(), first, lambda r: None)

"""Figures of PyTorch for a whole convolutional autoencoder: prints autoencoders.json, a network a line.

Values are f64. Each case holds the parameters by the names that they have in tapegrad, the samples, the code, what comes
out, the mean squared error and its gradients. The networks are PyTorch's own modules; what it has in another order, the
channels before the pixels and the weights of a filter, is brought into ours.
"""

import json

import torch
from torch import nn

torch.manual_seed(23)
torch.set_default_dtype(torch.float64)

SAMPLES = 3


def layers(channels, height, width, filters, code):
    """Names and modules, and the map in front of the code."""
    sides, before, front, back = (height, width), channels, [], []
    for k, count in enumerate(filters, 1):
        half = tuple((side + 1) // 2 for side in sides)
        # What a transposed convolution of stride 2 is short of, down and along.
        missing = tuple(side - (2 * h - 1) for side, h in zip(sides, half))
        front += [(f"conv{k}", nn.Conv2d(before, count, 3, stride=2, padding=1)), (f"relu{k}", nn.ReLU())]
        up = nn.ConvTranspose2d(count, before, 3, stride=2, padding=1, output_padding=missing)
        back.insert(0, up)
        sides, before = half, count
    size = before * sides[0] * sides[1]
    inner = [("flatten", nn.Flatten()), ("code", nn.Linear(size, code)), ("linear", nn.Linear(code, size))]
    inner += [("unflatten", nn.Unflatten(1, (before, *sides)))]
    last = []
    for k, up in enumerate(back, 1):
        last += [(f"relu{len(filters) + k}", nn.ReLU()), (f"transpose{k}", up)]
    return front + inner + last + [("sigmoid", nn.Sigmoid())], (before, *sides)


def pixels(x):
    """n×(height·width·channels) of n×channels×height×width."""
    return x.permute(0, 2, 3, 1).flatten(1)


def ours(name, value, map_shape):
    """A parameter of PyTorch, or its gradient, as ours."""
    module, kind = name.split(".")
    if kind == "bias" and module != "linear":
        return value[None]
    if module.startswith(("conv", "transpose")):
        # Filters first in both: those of a transposed convolution are its inputs.
        return value.permute(2, 3, 1, 0).flatten(0, 2)
    if module == "code":
        return pixels(value.unflatten(1, map_shape)).T
    # The numbers of the map, in the order of its pixels.
    columns = (value.T if kind == "weight" else value[None]).unflatten(1, map_shape)
    return pixels(columns)


def matrix(x):
    return {"rows": x.shape[0], "cols": x.shape[1], "data": x.flatten().tolist()}


def case(channels, height, width, filters, code):
    named, map_shape = layers(channels, height, width, filters, code)
    net = nn.Sequential()
    for name, module in named:
        net.add_module(name, module)
    x = torch.rand(SAMPLES, channels, height, width)
    codes = net[: [name for name, _ in named].index("code") + 1](x)
    y = net(x)
    loss = nn.functional.mse_loss(y, x)
    parameters = dict(net.named_parameters())
    gradients = torch.autograd.grad(loss, list(parameters.values()))
    return {
        "image": [channels, height, width],
        "filters": filters,
        "parameters": {name: matrix(ours(name, value, map_shape)) for name, value in parameters.items()},
        "x": matrix(pixels(x)),
        "code": matrix(codes),
        "output": matrix(pixels(y)),
        "loss": loss.item(),
        "gradients": {
            name: matrix(ours(name, value, map_shape)) for name, value in zip(parameters, gradients)
        },
    }


cases = {"odd": case(2, 5, 6, [2, 3], 4), "even": case(1, 4, 4, [3], 2), "line": case(1, 1, 7, [2, 2, 2], 3)}
print("{")
print(",\n".join(f'"{name}": {json.dumps(value)}' for name, value in cases.items()))
print("}")

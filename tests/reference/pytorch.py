"""Writes tests/reference/torch: saved networks, and what PyTorch with their numbers says of some flowers.

Run it in the project's folder, after `cargo build --release`; it needs torch and safetensors. A test compares the
figures with what this crate says.
"""

import csv
import json
import pathlib
import subprocess

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file

FOLDER = pathlib.Path("tests/reference/torch")
NETWORKS = {
    "relu": ["--hidden", "16,8"],
    "tanh": ["--hidden", "12", "--activation", "tanh", "--norm", "batch"],
    "layer": ["--hidden", "12", "--norm", "layer", "--dropout", "0.1"],
}


def layer(name, settings, numbers):
    def row(part, i=0):
        return numbers[f"{name}.{part}"][i]

    match settings["kind"]:
        case "linear":
            weight = numbers[name + ".weight"]
            # In front of batch norm there is none.
            made = torch.nn.Linear(*weight.shape, bias=name + ".bias" in numbers)
            made.weight.data = weight.T.contiguous()
            if made.bias is not None:
                made.bias.data = row("bias")
        case "activation":
            made = {"relu": torch.nn.ReLU, "tanh": torch.nn.Tanh}[settings["name"]]()
        case "dropout":
            made = torch.nn.Dropout(settings["p"])
        case "batch_norm":
            made = torch.nn.BatchNorm1d(len(row("gamma")), eps=settings["epsilon"])
            made.weight.data, made.bias.data = row("gamma"), row("beta")
            made.running_mean, made.running_var = row("running"), row("running", 1)
        case "layer_norm":
            made = torch.nn.LayerNorm(len(row("gamma")), eps=settings["epsilon"])
            made.weight.data, made.bias.data = row("gamma"), row("beta")
        case other:
            raise ValueError(other)
    return made


lines = [line for line in open("data/iris.csv") if not line.startswith("#")]
flowers = [[float(x) for x in row[:4]] for row in list(csv.reader(lines))[1:]][::15]
for name, flags in NETWORKS.items():
    path = FOLDER / f"{name}.safetensors"
    train = ["target/release/tapegrad", "train", "-q", "--data", "data/iris.csv", "--target", "species"]
    subprocess.run(train + ["--save", str(path)] + flags, check=True)
    numbers = load_file(path)
    about = json.loads(safe_open(path, "pt").metadata()["tapegrad"])
    parts = about["model"]["module"]["parts"]
    network = torch.nn.Sequential(*(layer(part, settings, numbers) for part, settings in parts)).eval()
    x = np.array(flowers)
    x = (x - numbers["preparation.0.mean"].numpy()) / numbers["preparation.0.std"].numpy()
    with torch.no_grad():
        found = torch.softmax(network(torch.tensor(x, dtype=torch.float32)), 1).tolist()
    rows = [",".join(repr(x) for x in flower + p) for flower, p in zip(flowers, found)]
    (FOLDER / f"{name}.csv").write_text("\n".join(rows) + "\n")

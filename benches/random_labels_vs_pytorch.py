#!/usr/bin/env python3
"""Epochs of the perceptron 784-512-512-10 on 5,000 random labels beside PyTorch, in one run.

Usage: benches/random_labels_vs_pytorch.py [--python PYTHON] [--rounds 3] [--threads 1] [--epochs 3]

PYTHON must have torch 2.11.0 and numpy. ReLU, Adam 1e-3, cross entropy, batches of 128, the 5,000 images in a new order each
epoch, the shorter last batch included; labels drawn once. PyTorch: `eager` with the data preloaded as one tensor, and `fused`,
the same with fused Adam. gradtop: the network of the experiment random-labels, alone. The programs take turns, and the best
round of each counts. Timed is the epoch's loop: shuffling, gathering, forward, backward, update; neither reading the files nor evaluating.
"""
import json

from beside_pytorch import bench_program, best_of, matrix_limit, mnist_bytes, parser, report

BATCH, SAMPLES = 128, 5000
# A sample's, forward and backward; the first layer needs no gradient of its input.
MULTIPLICATIONS = 3 * (784 * 512 + 512 * 512 + 512 * 10) - 784 * 512


def pytorch(how, threads, epochs):
    """Timed epochs of PyTorch; runs in a process of its own."""
    import time

    import torch
    from torch import nn

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    x = torch.from_numpy(mnist_bytes("train")[0])
    x = (x[torch.randperm(len(x))[:SAMPLES]].float() / 255 - 0.1307) / 0.3081
    y = torch.randint(0, 10, (SAMPLES,))
    net = nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10))
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3, **({"fused": True} if how == "fused" else {}))
    loss_fn = nn.CrossEntropyLoss()

    def steps(order):
        for i in range(0, len(order), BATCH):
            chosen = order[i : i + BATCH]
            optimizer.zero_grad()
            loss_fn(net(x[chosen]), y[chosen]).backward()
            optimizer.step()

    steps(torch.arange(5 * BATCH))
    start = time.perf_counter()
    for _ in range(epochs):
        steps(torch.randperm(SAMPLES))
    print(json.dumps({"samples_per_s": epochs * SAMPLES / (time.perf_counter() - start)}))


def main():
    arguments = parser(__doc__)
    arguments.add_argument("--epochs", type=int, default=3)
    options = arguments.parse_args()
    if options.as_pytorch:
        pytorch(options.as_pytorch, options.threads, options.epochs)
        return

    epochs = ["--epochs", str(options.epochs)]
    theirs = {"PyTorch, eager": "eager", "PyTorch, fused Adam": "fused"}
    best = best_of(
        options,
        {"gradtop": [bench_program("random_labels"), "--batch", str(BATCH), "--samples", str(SAMPLES), *epochs]},
        {name: [*epochs, "--as-pytorch", how] for name, how in theirs.items()},
        __file__,
    )
    speed = {name: said["samples_per_s"] for name, said in best.items()}
    report("mlp.random-labels", speed.pop("gradtop"), speed, matrix_limit(options, MULTIPLICATIONS))


if __name__ == "__main__":
    main()

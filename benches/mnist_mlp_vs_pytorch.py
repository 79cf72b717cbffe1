#!/usr/bin/env python3
"""Epochs of the perceptron 784-15-30-10 on MNIST beside PyTorch, in one run: one network, and eight at once.

Usage: benches/mnist_mlp_vs_pytorch.py [--python PYTHON] [--rounds 3] [--threads 1] [--compile]

PYTHON must have torch 2.11.0 and numpy. ReLU, Adam 1e-3, cross entropy, batches of 64, all 60,000 images in a new order each
epoch, the shorter last batch included. PyTorch: `eager` with the data preloaded as one tensor; `fused`, the same with fused
Adam; with --compile also `compiled` (torch.compile of the step, warmed up first); and `eight`, eight eager runs one after
another. gradtop: its ensemble of one, and of eight with own orders, as the experiments train it. The two take turns, and the
best round of each counts. Timed is the epoch's loop: shuffling, gathering, forward, backward, update; not reading the files.
"""
import json

from beside_pytorch import bench_program, best_of, matrix_limit, mnist_bytes, parser, report

BATCH = 64
# A sample's, forward and backward; the first layer needs no gradient of its input.
MULTIPLICATIONS = 3 * (784 * 15 + 15 * 30 + 30 * 10) - 784 * 15


def pytorch(how, threads):
    """One timed epoch of PyTorch; runs in a process of its own."""
    import time

    import torch
    from torch import nn

    torch.set_num_threads(threads)
    pixels, labels = mnist_bytes("train")
    x, y = torch.from_numpy(pixels).float().div_(255), torch.from_numpy(labels).long()
    loss_fn = nn.CrossEntropyLoss()

    def training(seed):
        torch.manual_seed(seed)
        net = nn.Sequential(nn.Linear(784, 15), nn.ReLU(), nn.Linear(15, 30), nn.ReLU(), nn.Linear(30, 10))
        fused = {"fused": True} if how in ("fused", "compiled") else {}
        optimizer = torch.optim.Adam(net.parameters(), lr=1e-3, **fused)

        def step(xb, yb):
            optimizer.zero_grad()
            loss_fn(net(xb), yb).backward()
            optimizer.step()

        return torch.compile(step) if how == "compiled" else step

    def epoch(step):
        order = torch.randperm(len(x))
        for i in range(0, len(x), BATCH):
            chosen = order[i : i + BATCH]
            step(x[chosen], y[chosen])

    runs = 8 if how == "eight" else 1
    steps = [training(seed) for seed in range(runs)]
    for size in (BATCH, len(x) % BATCH):
        for _ in range(5):
            steps[0](x[:size], y[:size])
    start = time.perf_counter()
    for step in steps:
        epoch(step)
    seconds = time.perf_counter() - start
    print(json.dumps({"samples_per_s": runs * len(x) / seconds}))


def main():
    arguments = parser(__doc__)
    arguments.add_argument("--compile", action="store_true", help="also time torch.compile, which compiles for half a minute a round")
    options = arguments.parse_args()
    if options.as_pytorch:
        pytorch(options.as_pytorch, options.threads)
        return

    program, limit = bench_program("mnist_mlp"), matrix_limit(options, MULTIPLICATIONS)
    one = {"PyTorch, eager": "eager", "PyTorch, fused Adam": "fused"}
    if options.compile:
        one["PyTorch, compiled"] = "compiled"
    for figure, runs, theirs in (("mlp.one", 1, one), ("mlp.eight", 8, {"PyTorch, eager, one after another": "eight"})):
        best = best_of(
            options,
            {"gradtop": [program, "--runs", str(runs), "--batch", str(BATCH)]},
            {name: ["--as-pytorch", how] for name, how in theirs.items()},
            __file__,
        )
        speed = {name: said["samples_per_s"] for name, said in best.items()}
        report(figure, speed.pop("gradtop"), speed, limit)


if __name__ == "__main__":
    main()

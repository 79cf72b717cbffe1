#!/usr/bin/env python3
"""Epochs of the perceptron 784-15-30-10 on MNIST beside PyTorch, in one run: one network, and eight at once.

Usage: benches/mnist_mlp_vs_pytorch.py [--python PYTHON] [--rounds 3] [--threads 1 2] [--compile]

PYTHON must have torch 2.11.0 and numpy. ReLU, Adam 1e-3, cross entropy, batches of 64, all 60,000 images in a new order each
epoch, the shorter last batch included. PyTorch: `eager` with the data preloaded as one tensor; `fused`, the same with fused
Adam; with --compile also `compiled` (torch.compile of the step, warmed up first); and `eight`, eight eager runs one after
another. gradtop: its ensemble of one, and of eight with own orders, as the experiments train it. The two take turns, round
after round, because a shared machine's speed drifts, and the best round of each counts: noise only ever slows.
Timed is the epoch's loop: shuffling, gathering, forward, backward, update; not reading the files.
"""
import argparse
import json
import sys

from beside_pytorch import bench_program, measured, mnist_bytes, parser

WANTED = {"eager": 3.0, "fused": 2.0, "compiled": 2.0, "eight": 4.0}
BATCH = 64


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
    arguments = parser(__doc__, nargs="+", default=[1])
    arguments.add_argument("--compile", action="store_true", help="also time torch.compile, which compiles for half a minute a round")
    arguments.add_argument("--as-pytorch", metavar="HOW", help=argparse.SUPPRESS)
    options = arguments.parse_args()
    if options.as_pytorch:
        pytorch(options.as_pytorch, options.threads[0])
        return

    program = bench_program("mnist_mlp")
    theirs = ["eager", "fused"] + (["compiled"] if options.compile else []) + ["eight"]
    missed = False
    print(f"{'threads':>7}  {'PyTorch':9} {'samples/s':>9}  {'gradtop':9} {'samples/s':>9}  {'ratio':>6}  wanted")
    for threads in options.threads:
        best = {}
        for _ in range(options.rounds):
            for how in theirs:
                command = [options.python, __file__, "--as-pytorch", how, "--threads", str(threads)]
                best[how] = max(best.get(how, 0), measured(command, threads)["samples_per_s"])
            for runs in (1, 8):
                command = [program, "--runs", str(runs), "--batch", str(BATCH), "--threads", str(threads)]
                best[runs] = max(best.get(runs, 0), measured(command, threads)["samples_per_s"])
        for how in theirs:
            runs = 8 if how == "eight" else 1
            ratio = best[runs] / best[how]
            missed |= ratio < WANTED[how]
            print(
                f"{threads:7}  {how:9} {best[how]:9.0f}  {'ensemble' if runs == 8 else 'one':9} {best[runs]:9.0f}"
                f"  {ratio:5.1f}x  {WANTED[how]:.0f}x",
                flush=True,
            )
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()

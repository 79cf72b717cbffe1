#!/usr/bin/env python3
"""Epochs of the perceptron 784-512-512-10 on 5,000 random labels beside PyTorch, in one run.

Usage: benches/random_labels_vs_pytorch.py [--python PYTHON] [--rounds 3] [--threads 1 2] [--epochs 3]

PYTHON must have torch 2.11.0 and numpy. ReLU, Adam 1e-3, cross entropy, batches of 128, the 5,000 images in a new order each
epoch, the shorter last batch included; labels drawn once. PyTorch: `eager` with the data preloaded as one tensor, and `fused`,
the same with fused Adam. gradtop: the network of the experiment random-labels, alone. The programs take turns, round after
round, because a shared machine's speed drifts, and the best round of each counts: noise only ever slows. Timed is the
epoch's loop: shuffling, gathering, forward, backward, update; neither reading the files nor evaluating.
"""
import argparse
import json
import sys

from beside_pytorch import bench_program, measured, mnist_bytes, parser

WANTED = {"eager": 1.3, "fused": 1.0}
BATCH, SAMPLES = 128, 5000


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
    arguments = parser(__doc__, nargs="+", default=[1])
    arguments.add_argument("--epochs", type=int, default=3)
    arguments.add_argument("--as-pytorch", metavar="HOW", help=argparse.SUPPRESS)
    options = arguments.parse_args()
    if options.as_pytorch:
        pytorch(options.as_pytorch, options.threads[0], options.epochs)
        return

    program = bench_program("random_labels", "gradtop-generalization")
    missed = False
    print(f"{'threads':>7}  {'PyTorch':9} {'samples/s':>9}  {'gradtop':>9}  {'ratio':>6}  wanted")
    for threads in options.threads:
        numbers = ["--threads", str(threads), "--epochs", str(options.epochs)]
        ours = [program, "--batch", str(BATCH), "--samples", str(SAMPLES), *numbers]
        best = dict.fromkeys([*WANTED, "gradtop"], 0.0)
        commands = {how: [options.python, __file__, "--as-pytorch", how, *numbers] for how in WANTED}
        for _ in range(options.rounds):
            for name, command in {**commands, "gradtop": ours}.items():
                best[name] = max(best[name], measured(command, threads)["samples_per_s"])
        for how, wanted in WANTED.items():
            ratio = best["gradtop"] / best[how]
            missed |= ratio < wanted
            print(
                f"{threads:7}  {how:9} {best[how]:9.0f}  {best['gradtop']:9.0f}  {ratio:5.2f}x  {wanted:.1f}x",
                flush=True,
            )
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()

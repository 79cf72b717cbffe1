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
import gzip
import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
MNIST = ROOT / "datasets" / "mnist"
WANTED = {"eager": 1.3, "fused": 1.0}
BATCH, SAMPLES = 128, 5000


def pytorch(how, threads, epochs):
    """Timed epochs of PyTorch; runs in a process of its own."""
    import time

    import numpy as np
    import torch
    from torch import nn

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    pixels = gzip.open(MNIST / "train-images-idx3-ubyte.gz").read()[16:]
    x = torch.from_numpy(np.frombuffer(pixels, np.uint8).copy()).view(-1, 784)
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


def bench_binary():
    """Builds the Rust side and gives the path of its program."""
    command = ["cargo", "build", "--release", "-p", "gradtop-generalization", "--bench", "random_labels"]
    built = subprocess.run(
        [*command, "--message-format=json"], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
    )
    for line in built.stdout.splitlines():
        message = json.loads(line)
        if message.get("target", {}).get("name") == "random_labels" and message.get("executable"):
            return message["executable"]
    sys.exit("cargo built no program called random_labels")


def measured(command, threads):
    environment = dict(os.environ, OMP_NUM_THREADS=str(threads), MKL_NUM_THREADS=str(threads))
    done = subprocess.run(command, env=environment, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])["samples_per_s"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", default=sys.executable, help="a Python with torch 2.11.0 and numpy")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, nargs="+", default=[1])
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--as-pytorch", metavar="HOW", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.as_pytorch:
        pytorch(options.as_pytorch, options.threads[0], options.epochs)
        return

    program = bench_binary()
    missed = False
    print(f"{'threads':>7}  {'PyTorch':9} {'samples/s':>9}  {'gradtop':>9}  {'ratio':>6}  wanted")
    for threads in options.threads:
        numbers = ["--threads", str(threads), "--epochs", str(options.epochs)]
        ours = [program, "--batch", str(BATCH), "--samples", str(SAMPLES), *numbers]
        best = dict.fromkeys([*WANTED, "gradtop"], 0.0)
        for _ in range(options.rounds):
            for how in WANTED:
                theirs = [options.python, __file__, "--as-pytorch", how, *numbers]
                best[how] = max(best[how], measured(theirs, threads))
            best["gradtop"] = max(best["gradtop"], measured(ours, threads))
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

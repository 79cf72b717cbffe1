#!/usr/bin/env python3
"""Training steps a second of gradtop's function-fit beside an idiomatic eager PyTorch program, in one run.

Usage: benches/function_fit_vs_pytorch.py [--python PYTHON] [--rounds 3] [--threads 1]

PYTHON must have torch 2.11.0. Both fit sin(5 pi x) / (5 pi x) at 1,000 points with the same tanh networks (571, 572, 571
parameters), Adam 1e-3, by mean squared error; full batch, and mini-batches of 128 from a new permutation each epoch. The two
take turns, round after round, because a shared machine's speed drifts. PyTorch is timed over its loop alone, after a
warm-up; gradtop over the whole experiment as it runs under its host in memory: set-up, logging the batch loss every 10
steps, an evaluation at the start and at the end, the final tables.
"""
import argparse
import json
import statistics
import sys

from beside_pytorch import bench_program, measured, parser

MODELS = {
    "deep": [1, 5, 10, 10, 10, 10, 10, 5, 1],
    "middle": [1, 10, 18, 15, 4, 1],
    "shallow": [1, 190, 1],
}
POINTS = 1000
WANTED = {0: 3.0, 128: 6.0}


def pytorch(model, batch, steps, threads):
    """The eager program, timed; runs in a process of its own."""
    import time

    import torch
    from torch import nn

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    widths = MODELS[model]
    layers = []
    for i, (m, n) in enumerate(zip(widths, widths[1:])):
        layers.append(nn.Linear(m, n))
        if i < len(widths) - 2:
            layers.append(nn.Tanh())
    net = nn.Sequential(*layers)
    x = torch.linspace(1e-4, 1, POINTS).unsqueeze(1)
    y = torch.sinc(5 * x)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    loss_fn = nn.MSELoss()

    def batches():
        while True:
            if batch == 0:
                yield x, y
            else:
                order = torch.randperm(POINTS)
                for i in range(0, POINTS - batch + 1, batch):
                    chosen = order[i : i + batch]
                    yield x[chosen], y[chosen]

    source = batches()

    def step():
        xb, yb = next(source)
        optimizer.zero_grad()
        loss = loss_fn(net(xb), yb)
        loss.backward()
        optimizer.step()

    for _ in range(50):
        step()
    start = time.perf_counter()
    for _ in range(steps):
        step()
    seconds = time.perf_counter() - start
    with torch.no_grad():
        final = loss_fn(net(x), y).item()
    print(json.dumps({"steps_per_s": steps / seconds, "final_loss": final}))


def main():
    arguments = parser(__doc__)
    arguments.add_argument("--pytorch-steps", type=int, default=2000)
    arguments.add_argument("--gradtop-steps", type=int, default=20000)
    arguments.add_argument("--as-pytorch", nargs=2, metavar=("MODEL", "BATCH"), help=argparse.SUPPRESS)
    options = arguments.parse_args()
    if options.as_pytorch:
        model, batch = options.as_pytorch
        pytorch(model, int(batch), options.pytorch_steps, options.threads)
        return

    program = bench_program("function_fit", "gradtop-deep-vs-shallow")
    print(f"{'network':8} {'batch':>5}  {'PyTorch/s':>9}  {'gradtop/s':>9}  {'ratio':>6}  {'lowest':>6}  wanted")
    missed = False
    for batch in WANTED:
        for model in MODELS:
            rounds = []
            for _ in range(options.rounds):
                theirs = measured(
                    [options.python, __file__, "--as-pytorch", model, str(batch)]
                    + ["--pytorch-steps", str(options.pytorch_steps), "--threads", str(options.threads)],
                    options.threads,
                )
                ours = measured(
                    [program, "--model", model, "--batch", str(batch), "--points", str(POINTS)]
                    + ["--steps", str(options.gradtop_steps), "--threads", str(options.threads)],
                    options.threads,
                )
                rounds.append((theirs["steps_per_s"], ours["steps_per_s"]))
            ratios = [b / a for a, b in rounds]
            ratio = statistics.median(ratios)
            missed |= ratio < WANTED[batch]
            print(
                f"{model:8} {batch or POINTS:5}  {statistics.median(a for a, _ in rounds):9.0f}"
                f"  {statistics.median(b for _, b in rounds):9.0f}  {ratio:5.1f}x  {min(ratios):5.1f}x"
                f"  {WANTED[batch]:.0f}x",
                flush=True,
            )
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()

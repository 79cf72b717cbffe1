#!/usr/bin/env python3
"""Training speed of the report's LeNet on MNIST: gradtop's toolkit beside PyTorch programs of the same work, in one run.

Usage: benches/cnn_vs_pytorch.py [--python PYTHON] [--rounds 3] [--threads 1] [--samples 20000] [--batch 64]

PYTHON must have torch 2.11.0 and numpy. PyTorch twice: as one writes it (`nn.Sequential`, Adam, data on hand as one tensor), and as it is
fastest here (channels last, fused Adam). All shuffle, gather batches, go forward and backward, and update. The programs take
turns, round after round, because a shared machine's speed drifts; the best round of each counts. Beside the seconds on the
clock stand the processor's seconds of the process, which others on the machine disturb less.
"""
import argparse
import json
import sys

from beside_pytorch import bench_program, measured, mnist_bytes, parser



def pytorch(variant, batch, samples, threads):
    """One PyTorch program, timed; runs in a process of its own."""
    import time

    import torch
    from torch import nn

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    pixels, labels = mnist_bytes("train")
    x = ((torch.tensor(pixels).float() / 255 - 0.1307) / 0.3081).view(-1, 1, 28, 28)
    y = torch.tensor(labels).long()
    net = nn.Sequential(
        nn.Conv2d(1, 16, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(800, 50), nn.ReLU(), nn.Linear(50, 10),
    )  # fmt: skip
    best = variant == "best"
    if best:
        net = net.to(memory_format=torch.channels_last)
        x = x.contiguous(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3, **({"fused": True} if best else {}))
    loss_fn = nn.CrossEntropyLoss()

    def steps(order):
        for i in range(0, len(order) - batch + 1, batch):
            chosen = order[i : i + batch]
            optimizer.zero_grad()
            loss_fn(net(x[chosen]), y[chosen]).backward()
            optimizer.step()

    steps(torch.arange(5 * batch))
    start, cpu = time.perf_counter(), time.process_time()
    steps(torch.randperm(len(x))[:samples])
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    count = samples // batch * batch
    print(json.dumps({"samples_per_s": count / seconds, "samples_per_cpu_s": count / cpu}))


def main():
    arguments = parser(__doc__)
    arguments.add_argument("--samples", type=int, default=20000)
    arguments.add_argument("--batch", type=int, default=64)
    arguments.add_argument("--as-pytorch", help=argparse.SUPPRESS)
    options = arguments.parse_args()
    if options.as_pytorch:
        pytorch(options.as_pytorch, options.batch, options.samples, options.threads)
        return

    numbers = ["--batch", str(options.batch), "--samples", str(options.samples), "--threads", str(options.threads)]
    theirs = [options.python, __file__, *numbers, "--as-pytorch"]
    programs = {
        "PyTorch, eager": [*theirs, "eager"],
        "PyTorch, channels last and fused Adam": [*theirs, "best"],
        "gradtop": [bench_program("cnn"), "--model", "lenet", *numbers],
    }
    best = {name: {"samples_per_s": 0.0, "samples_per_cpu_s": 0.0} for name in programs}
    for _ in range(options.rounds):
        for name, command in programs.items():
            for key, value in measured(command, options.threads).items():
                if key in best[name]:
                    best[name][key] = max(best[name][key], value)
    ours = best["gradtop"]
    print(f"{'':38} {'samples/s':>10} {'ratio':>6}   {'per processor second':>20} {'ratio':>6}")
    for name, seen in best.items():
        wall, cpu = (ours[key] / seen[key] for key in ("samples_per_s", "samples_per_cpu_s"))
        print(f"{name:38} {seen['samples_per_s']:10.0f} {wall:5.2f}x   {seen['samples_per_cpu_s']:20.0f} {cpu:5.2f}x")
    eager, fastest = (best[name]["samples_per_s"] for name in list(programs)[:2])
    missed = ours["samples_per_s"] < 1.5 * eager or ours["samples_per_s"] <= fastest
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()

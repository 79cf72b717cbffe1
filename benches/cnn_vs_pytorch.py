#!/usr/bin/env python3
"""Training speed of the report's LeNet on MNIST: gradtop's toolkit beside PyTorch programs of the same work, in one run.

Usage: benches/cnn_vs_pytorch.py [--python PYTHON] [--rounds 3] [--threads 1] [--samples 20000] [--batch 64]

PYTHON must have torch 2.11.0 and numpy. PyTorch twice: as one writes it (`nn.Sequential`, Adam, data on hand as one tensor), and as it is
fastest here (channels last, fused Adam). All shuffle, gather batches, go forward and backward, and update. The programs take
turns; the best round of each counts.
"""
import json

from beside_pytorch import bench_program, best_of, matrix_limit, mnist_bytes, parser, report

# A sample's, forward and backward; the first layer needs no gradient of its input.
FORWARD = [28 * 28 * 16 * 25, 10 * 10 * 32 * 16 * 25, 800 * 50 + 50 * 10]
MULTIPLICATIONS = 3 * sum(FORWARD) - FORWARD[0]


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
    start = time.perf_counter()
    steps(torch.randperm(len(x))[:samples])
    print(json.dumps({"samples_per_s": samples // batch * batch / (time.perf_counter() - start)}))


def main():
    arguments = parser(__doc__)
    arguments.add_argument("--samples", type=int, default=20000)
    arguments.add_argument("--batch", type=int, default=64)
    options = arguments.parse_args()
    if options.as_pytorch:
        pytorch(options.as_pytorch, options.batch, options.samples, options.threads)
        return

    numbers = ["--batch", str(options.batch), "--samples", str(options.samples)]
    theirs = {"PyTorch, eager": "eager", "PyTorch, channels last and fused Adam": "best"}
    best = best_of(
        options,
        {"gradtop": [bench_program("cnn"), "--model", "lenet", *numbers]},
        {name: [*numbers, "--as-pytorch", how] for name, how in theirs.items()},
        __file__,
    )
    speed = {name: said["samples_per_s"] for name, said in best.items()}
    report("cnn.lenet", speed.pop("gradtop"), speed, matrix_limit(options, MULTIPLICATIONS))


if __name__ == "__main__":
    main()

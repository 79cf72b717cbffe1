#!/usr/bin/env python3
"""Training steps a second of gradtop's function-fit beside an idiomatic eager PyTorch program, in one run.

Usage: benches/function_fit_vs_pytorch.py [--python PYTHON] [--rounds 3] [--threads 1]

PYTHON must have torch 2.11.0. Both fit sin(5 pi x) / (5 pi x) at 1,000 points with the same tanh networks (571, 572, 571
parameters), Adam 1e-3, by mean squared error; full batch, and mini-batches of 128 from a new permutation each epoch. The two
take turns; the best round of each counts. PyTorch is timed over its loop alone, after a warm-up; gradtop over the whole experiment as it runs under its host in memory: set-up, logging the batch loss every 10
steps, an evaluation at the start and at the end, the final tables.
"""
import json

from beside_pytorch import bench_program, best_of, parser, report

MODELS = {
    "deep": [1, 5, 10, 10, 10, 10, 10, 5, 1],
    "middle": [1, 10, 18, 15, 4, 1],
    "shallow": [1, 190, 1],
}
POINTS = 1000


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
    print(json.dumps({"steps_per_s": steps / (time.perf_counter() - start)}))


def main():
    arguments = parser(__doc__)
    arguments.add_argument("--pytorch-steps", type=int, default=2000)
    arguments.add_argument("--gradtop-steps", type=int, default=20000)
    options = arguments.parse_args()
    if options.as_pytorch:
        model, batch = options.as_pytorch.split()
        pytorch(model, int(batch), options.pytorch_steps, options.threads)
        return

    program = bench_program("function_fit")
    for batch in (0, 128):
        for model in MODELS:
            ours = ["--model", model, "--batch", str(batch), "--points", str(POINTS), "--steps", str(options.gradtop_steps)]
            theirs = ["--as-pytorch", f"{model} {batch}", "--pytorch-steps", str(options.pytorch_steps)]
            best = best_of(options, {"gradtop": [program, *ours]}, {"PyTorch, eager": theirs}, __file__)
            speed = {name: said["steps_per_s"] for name, said in best.items()}
            report(f"fit.{model}-{batch}" if batch else f"fit.{model}", speed.pop("gradtop"), speed)


if __name__ == "__main__":
    main()

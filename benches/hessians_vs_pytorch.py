#!/usr/bin/env python3
"""Seconds for the exact Hessians of 100 small tanh networks in double precision: gradtop's toolkit beside PyTorch, in one run.

Usage: benches/hessians_vs_pytorch.py [--python PYTHON] [--rounds 3] [--threads 1]

PYTHON must have torch 2.11.0. Two networks fit sin(5 pi x) / (5 pi x): 1-4-4-1 (33 parameters) at 64 points and 1-10-10-1 (141
parameters) at 128. gradtop's numbers are of plugins/toolkit's hand-written passes and, for comparison, of its autograd rows.
PyTorch's are of three ways: `loop` is torch.autograd.functional.hessian for one network after the other (of 10 of them, times
10); `vmap` is torch.func.vmap over torch.func.hessian, all 100 at once; `rows` is the batched networks' double backward, row
by row, all 100 at once. The two programs take turns, round after round, because a shared machine's speed drifts; each number is
the lowest of its rounds.
"""
import argparse
import json
import sys
import time

from beside_pytorch import bench_program, measured_lines, parser

RUNS = 100
NETWORKS = [([1, 4, 4, 1], 64), ([1, 10, 10, 1], 128)]


def pytorch(threads):
    """Times the three ways once; runs in a process of its own."""
    import torch

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    for widths, points in NETWORKS:
        x = torch.linspace(1e-4, 1, points, dtype=torch.float64).unsqueeze(1)
        y = torch.sinc(5 * x)
        sizes = [(m, n) for m, n in zip(widths, widths[1:])]
        count = sum((m + 1) * n for m, n in sizes)

        def loss(parameters):
            a, start = x, 0
            for i, (m, n) in enumerate(sizes):
                w = parameters[start : start + m * n].view(n, m)
                b = parameters[start + m * n : start + (m + 1) * n]
                start += (m + 1) * n
                a = a @ w.T + b
                if i < len(sizes) - 1:
                    a = torch.tanh(a)
            return ((a - y) ** 2).mean()

        def losses(parameters):
            a, start = x.unsqueeze(0).expand(RUNS, -1, -1), 0
            for i, (m, n) in enumerate(sizes):
                w = parameters[:, start : start + m * n].view(RUNS, n, m)
                b = parameters[:, start + m * n : start + (m + 1) * n].unsqueeze(1)
                start += (m + 1) * n
                a = torch.baddbmm(b, a, w.transpose(1, 2))
                if i < len(sizes) - 1:
                    a = torch.tanh(a)
            return ((a - y) ** 2).mean(dim=(1, 2))

        parameters = torch.rand(RUNS, count, dtype=torch.float64) * 2 - 1

        def loop():
            return torch.stack([torch.autograd.functional.hessian(loss, p) for p in parameters[:10]])

        def vmap():
            return torch.func.vmap(torch.func.hessian(loss))(parameters)

        def rows():
            leaf = parameters.clone().requires_grad_()
            (gradient,) = torch.autograd.grad(losses(leaf).sum(), leaf, create_graph=True)
            parts = [
                torch.autograd.grad(gradient[:, i].sum(), leaf, retain_graph=True)[0] for i in range(count)
            ]
            return torch.stack(parts, 1)

        reference = rows()
        assert torch.allclose(vmap(), reference, atol=1e-12) and torch.allclose(loop(), reference[:10], atol=1e-12)
        seconds = {}
        for name, way, factor in (("loop", loop, 10), ("vmap", vmap, 1), ("rows", rows, 1)):
            start = time.perf_counter()
            way()
            seconds[name] = factor * (time.perf_counter() - start)
        print(json.dumps({"parameters": count, **seconds}))


def main():
    arguments = parser(__doc__)
    arguments.add_argument("--as-pytorch", action="store_true", help=argparse.SUPPRESS)
    options = arguments.parse_args()
    if options.as_pytorch:
        pytorch(options.threads)
        return

    program = bench_program("hessians")
    lowest = {}
    for _ in range(options.rounds):
        theirs = [options.python, __file__, "--as-pytorch", "--threads", str(options.threads)]
        ours = [program, "--threads", str(options.threads), "--rounds", "3"]
        for command in (theirs, ours):
            for line in measured_lines(command, options.threads):
                parameters = line["parameters"]
                for name in ("loop", "vmap", "rows", "by_hand_s", "by_rows_s"):
                    if name in line:
                        key = (parameters, name)
                        lowest[key] = min(lowest.get(key, float("inf")), line[name])
    print(f"{'parameters':>10}  {'loop':>8}  {'vmap':>8}  {'rows':>8}  {'gradtop':>8}  {'its rows':>8}  {'ratio':>6}")
    for widths, _ in NETWORKS:
        count = sum((m + 1) * n for m, n in zip(widths, widths[1:]))
        of = {name: lowest[count, name] for name in ("loop", "vmap", "rows", "by_hand_s", "by_rows_s")}
        ratio = min(of["loop"], of["vmap"], of["rows"]) / of["by_hand_s"]
        print(
            f"{count:>10}  {of['loop']:>8.3f}  {of['vmap']:>8.3f}  {of['rows']:>8.3f}  {of['by_hand_s']:>8.4f}  "
            f"{of['by_rows_s']:>8.3f}  {ratio:>6.1f}"
        )
    if lowest[141, "by_hand_s"] > 1.0:
        sys.exit("wanted: 100 Hessians of 141 parameters within 1 s")


if __name__ == "__main__":
    main()

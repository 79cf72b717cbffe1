#!/usr/bin/env python3
"""Seconds for the exact Hessians of 100 small tanh networks in double precision: gradtop's toolkit beside PyTorch, in one run.

Usage: benches/hessians_vs_pytorch.py [--python PYTHON] [--rounds 3] [--threads 1]

PYTHON must have torch 2.11.0. Two networks fit sin(5 pi x) / (5 pi x): 1-4-4-1 (33 parameters) at 64 points and 1-10-10-1 (141
parameters) at 128. gradtop's numbers are of plugins/toolkit's hand-written passes and, for comparison, of its autograd rows.
PyTorch's are of three ways: `loop` is torch.autograd.functional.hessian for one network after the other (of 10 of them, times
10); `vmap` is torch.func.vmap over torch.func.hessian, all 100 at once; `rows` is the batched networks' double backward, row
by row, all 100 at once. The programs take turns; each number is the lowest of its rounds.
"""
import json
import time

from beside_pytorch import bench_program, best_of, parser, report

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
        for name, way, factor in (("loop", loop, 10), ("vmap", vmap, 1), ("rows", rows, 1)):
            start = time.perf_counter()
            way()
            print(json.dumps({f"{count}_{name}_s": factor * (time.perf_counter() - start)}))


def main():
    options = parser(__doc__).parse_args()
    if options.as_pytorch:
        pytorch(options.threads)
        return

    ours = {"gradtop": [bench_program("hessians"), "--rounds", "3"]}
    best = best_of(options, ours, {"PyTorch": ["--as-pytorch", "all"]}, __file__)
    ways = {"loop": "PyTorch, one by one", "vmap": "PyTorch, vmap", "rows": "PyTorch, row by row"}
    for count in (33, 141):
        theirs = {words: best["PyTorch"][f"{count}_{way}_s"] for way, words in ways.items() if "PyTorch" in best}
        theirs["gradtop, autograd row by row"] = best["gradtop"][f"{count}_by_rows_s"]
        report(f"hessian.{count}", best["gradtop"][f"{count}_by_hand_s"], theirs)


if __name__ == "__main__":
    main()

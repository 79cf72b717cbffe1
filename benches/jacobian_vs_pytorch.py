#!/usr/bin/env python3
"""Exact input-output Jacobian norms of the perceptron 784-15-30-10 at 10,000 test images of MNIST beside PyTorch, in one run.

Usage: benches/jacobian_vs_pytorch.py [--python PYTHON] [--rounds 3] [--threads 1 2]

PYTHON must have torch 2.11.0 and numpy. The mean Frobenius norm of d logits / d input. PyTorch: `vmap` is
torch.func.vmap(jacrev(...)) over all images at once, `backward` one autograd backward pass a class. gradtop: `outputs` is the
same number by pushing the Jacobian through the layers; `both` computes the norms of the softmax's probabilities as well. Both
programs have the same parameters, and their means must agree. They take turns, round after round, because a shared machine's
speed drifts, and the lowest time of each counts.
"""
import argparse
import json
import os
import pathlib
import sys
import tempfile

from beside_pytorch import bench_program, measured, mnist_bytes, parser

WANTED = 5.0


def pytorch(how, threads, parameters):
    """Times one way; runs in a process of its own. Writes the network's parameters where gradtop's program reads them."""
    import time

    import torch
    from torch import nn
    from torch.func import functional_call, jacrev, vmap

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(784, 15), nn.ReLU(), nn.Linear(15, 30), nn.ReLU(), nn.Linear(30, 10))
    x = torch.from_numpy(mnist_bytes("t10k")[0]).float().div_(255)
    layers = [torch.cat([l.weight, l.bias[:, None]], 1).detach().flatten() for l in net if isinstance(l, nn.Linear)]
    pathlib.Path(parameters).write_bytes(torch.cat(layers).numpy().astype("<f4").tobytes())

    def by_vmap():
        own = dict(net.named_parameters())
        with torch.no_grad():
            return vmap(jacrev(lambda one: functional_call(net, own, (one,))))(x).flatten(1).norm(dim=1).mean()

    def by_backward():
        at = x.clone().requires_grad_()
        outputs, squares = net(at), torch.zeros(len(x))
        for c in range(10):
            (gradient,) = torch.autograd.grad(outputs[:, c].sum(), at, retain_graph=True)
            squares += gradient.square().sum(1)
        return squares.sqrt().mean()

    way = {"vmap": by_vmap, "backward": by_backward}[how]
    way()
    lowest = float("inf")
    for _ in range(5):
        start = time.perf_counter()
        mean = way()
        lowest = min(lowest, time.perf_counter() - start)
    print(json.dumps({f"{how}_s": lowest, "mean_norm": mean.item()}))


def main():
    arguments = parser(__doc__, nargs="+", default=[1, 2])
    arguments.add_argument("--as-pytorch", nargs=2, metavar=("HOW", "FILE"), help=argparse.SUPPRESS)
    options = arguments.parse_args()
    if options.as_pytorch:
        pytorch(options.as_pytorch[0], options.threads[0], options.as_pytorch[1])
        return

    program = bench_program("jacobian")
    missed = False
    print(f"{'threads':>7}  {'vmap':>8}  {'backward':>8}  {'gradtop':>8}  {'both':>8}  {'vmap / gradtop':>14}  wanted")
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "parameters")
        for threads in options.threads:
            lowest, means = {}, set()
            for _ in range(options.rounds):
                theirs = [
                    [options.python, __file__, "--as-pytorch", how, file, "--threads", str(threads)]
                    for how in ("vmap", "backward")
                ]
                ours = [program, "--parameters", file, "--threads", str(threads)]
                for found in (measured(command, threads) for command in [*theirs, ours]):
                    means.add(found["mean_norm"])
                    for name, value in found.items():
                        if name.endswith("_s"):
                            lowest[name] = min(lowest.get(name, float("inf")), value)
            if max(means) - min(means) > 1e-5 * max(means):
                sys.exit(f"the programs disagree about the mean norm: {sorted(means)}")
            ratio = lowest["vmap_s"] / lowest["outputs_s"]
            missed |= ratio < WANTED
            print(
                f"{threads:7}  {lowest['vmap_s']:8.4f}  {lowest['backward_s']:8.4f}  {lowest['outputs_s']:8.4f}"
                f"  {lowest['both_s']:8.4f}  {ratio:13.1f}x  {WANTED:.0f}x",
                flush=True,
            )
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()

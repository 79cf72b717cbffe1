#!/usr/bin/env python3
"""Exact input-output Jacobian norms of the perceptron 784-15-30-10 at 10,000 test images of MNIST beside PyTorch, in one run.

Usage: benches/jacobian_vs_pytorch.py [--python PYTHON] [--rounds 3] [--threads 1]

PYTHON must have torch 2.11.0 and numpy. The mean Frobenius norm of d logits / d input. PyTorch: `vmap` is
torch.func.vmap(jacrev(...)) over all images at once, `backward` one autograd backward pass a class. gradtop: `outputs` is the
same number by pushing the Jacobian through the layers; `both` computes the norms of the softmax's probabilities as well. Both
programs have the same parameters, and their means must agree. They take turns, and the lowest time of each counts.
"""
import json
import os
import pathlib
import sys
import tempfile

from beside_pytorch import bench_program, best_of, has, measured, mnist_bytes, parser, report


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
    print(json.dumps({"outputs_s": lowest, "mean_norm": mean.item()}))


def main():
    options = parser(__doc__).parse_args()
    if options.as_pytorch:
        how, file = options.as_pytorch.split(" ", 1)
        pytorch(how, options.threads, file)
        return

    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "parameters")
        # Written by PyTorch, if there is one, before gradtop reads them.
        theirs = {f"PyTorch, {how}": ["--as-pytorch", f"{how} {file}"] for how in ("vmap", "backward")}
        ours = [bench_program("jacobian")]
        if has(options.python, "torch"):
            measured([options.python, __file__, *theirs["PyTorch, vmap"]])
            ours += ["--parameters", file]
        best = best_of(options, {"gradtop": ours}, theirs, __file__)
    means = [said["mean_norm"] for said in best.values()]
    if max(means) - min(means) > 1e-5 * max(means):
        sys.exit(f"the programs disagree about the mean norm: {sorted(means)}")
    seconds = {name: said["outputs_s"] for name, said in best.items()}
    report("jacobian.norms", seconds.pop("gradtop"), seconds)


if __name__ == "__main__":
    main()

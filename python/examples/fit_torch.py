"""A network for a curve with plain PyTorch, in one process or in several.

    gradtop exec --resumable -- python fit_torch.py --lr 1e-2
    gradtop exec --resumable -- torchrun --nproc-per-node 2 fit_torch.py
"""

import argparse
import os

import torch
import torch.distributed as dist

import gradtop

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=0.01)
parser.add_argument("--width", type=int, default=64)
parser.add_argument("--steps", type=int, default=2000)
args = parser.parse_args()

together = int(os.environ.get("WORLD_SIZE", 1)) > 1
if together:
    dist.init_process_group("gloo")
run = gradtop.init(params=args, metrics={"loss": "min:test"}, total=args.steps)
torch.manual_seed(run.seed or 0)
model = torch.nn.Sequential(torch.nn.Linear(1, args.width), torch.nn.Tanh(), torch.nn.Linear(args.width, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=args.lr)
start = 0
if run.resume_dir:
    saved = torch.load(run.resume_dir / "state.pt", weights_only=True)
    model.load_state_dict(saved["model"])
    optimizer.load_state_dict(saved["optimizer"])
    start = saved["step"] + 1
net = torch.nn.parallel.DistributedDataParallel(model) if together else model


def loss_of(network, x):
    return torch.nn.functional.mse_loss(network(x), torch.sin(3 * x))


test = torch.linspace(-1, 1, 201)[:, None]
for step in run.steps(args.steps, start):
    # Each process has other points.
    own = torch.Generator().manual_seed(step * 1000 + int(os.environ.get("RANK", 0)))
    loss = loss_of(net, torch.rand(64, 1, generator=own) * 2 - 1)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    run.log(step, loss=loss.item(), split="train")
    if step % 50 == 0:
        with torch.no_grad():
            run.log(step, loss=loss_of(model, test).item(), split="test")
    if run.should_checkpoint():
        with run.checkpoint(step) as folder:
            state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step}
            torch.save(state, folder / "state.pt")

run.finish()
if together:
    dist.destroy_process_group()

"""A training that knows nothing of gradtop: it writes for TensorBoard, as scripts do.

    gradtop exec --tensorboard runs/curve -- python fit_tensorboard.py --dir runs/curve
"""

import argparse

import torch
from torch.utils.tensorboard import SummaryWriter

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=0.01)
parser.add_argument("--steps", type=int, default=2000)
parser.add_argument("--dir", default=None)
args = parser.parse_args()

torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Linear(1, 64), torch.nn.Tanh(), torch.nn.Linear(64, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=args.lr)
test = torch.linspace(-1, 1, 201)[:, None]
with SummaryWriter(args.dir, flush_secs=1) as writer:
    for step in range(args.steps):
        x = torch.rand(64, 1) * 2 - 1
        loss = torch.nn.functional.mse_loss(model(x), torch.sin(3 * x))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        writer.add_scalar("loss/train", loss, step)
        if step % 50 == 0:
            with torch.no_grad():
                loss = torch.nn.functional.mse_loss(model(test), torch.sin(3 * test))
            writer.add_scalar("loss/test", loss, step)
    print(f"test loss {loss:.5f}")

"""A plain training script with four lines for gradtop. Run it under `gradtop exec --resumable -- python curve.py`, or alone.

It fits a small network to a curve with gradients written by hand, so that it needs nothing but Python; with PyTorch the lines
for gradtop are the same.
"""

import argparse
import json
import math
import random

import gradtop

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=0.05)
parser.add_argument("--steps", type=int, default=2000)
parser.add_argument("--width", type=int, default=8)
args = parser.parse_args()

run = gradtop.init(params=args, metrics={"loss": "min:test"}, total=args.steps)
draw = random.Random(run.seed)
net = {name: [draw.gauss(0, 1) for _ in range(args.width)] for name in ("w", "b", "v")}
start = 0
if run.resume_dir:
    saved = json.loads((run.resume_dir / "state.json").read_text())
    net, start = saved["net"], saved["step"]


def curve(x):
    return math.sin(3 * x)


def forward(x):
    hidden = [math.tanh(w * x + b) for w, b in zip(net["w"], net["b"])]
    return hidden, sum(v * h for v, h in zip(net["v"], hidden))


for step in run.steps(args.steps, start):
    x = random.Random(step).uniform(-1, 1)
    hidden, y = forward(x)
    error = y - curve(x)
    for i, h in enumerate(hidden):
        slope = 2 * error * net["v"][i] * (1 - h * h)
        net["v"][i] -= args.lr * 2 * error * h
        net["w"][i] -= args.lr * slope * x
        net["b"][i] -= args.lr * slope
    run.log(step, loss=error * error, split="train")
    if step % 50 == 0:
        points = [i / 10 - 1 for i in range(21)]
        run.log(step, loss=sum((forward(p)[1] - curve(p)) ** 2 for p in points) / 21, split="test")
    if run.should_checkpoint():
        with run.checkpoint(step) as folder:
            (folder / "state.json").write_text(json.dumps({"net": net, "step": step + 1}))

points = [i / 10 - 1 for i in range(21)]
run.table("predictions", {"x": points, "y": [forward(p)[1] for p in points]})
run.finish()

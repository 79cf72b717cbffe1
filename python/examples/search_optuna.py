"""Optuna chooses the values, gradtop runs the trials: each is a run of its own, to watch, compare and keep.

    python search_optuna.py --trials 20
    gradtop list curve --sort loss
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys

import optuna

parser = argparse.ArgumentParser()
parser.add_argument("--trials", type=int, default=20)
parser.add_argument("--name", default="search")
args = parser.parse_args()

GRADTOP = os.environ.get("GRADTOP_PROGRAM", "gradtop")
SCRIPT = str(pathlib.Path(__file__).with_name("curve.py"))


def objective(trial: optuna.Trial) -> float:
    values = {
        "lr": trial.suggest_float("lr", 1e-3, 1.0, log=True),
        "width": trial.suggest_int("width", 2, 32),
    }
    name = f"{args.name}-{trial.number}"
    params = [word for key, value in values.items() for word in ("--param", f"{key}={value}")]
    command = [sys.executable, SCRIPT, "--steps", "500", "--lr", "{lr}", "--width", "{width}"]
    # Without --detach it returns when the run has ended.
    done = subprocess.run([GRADTOP, "exec", "--name", name, *params, "--", *command], stdout=subprocess.DEVNULL)
    if done.returncode != 0:
        raise optuna.TrialPruned(f"{name} ended with exit code {done.returncode}")
    run = json.loads(subprocess.check_output([GRADTOP, "show", name, "--json"]))
    return next(m["best"]["value"] for m in run["metrics"] if (m["metric"], m["series"]) == ("loss", "test"))


study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0))
study.optimize(objective, n_trials=args.trials)
print(f"best: {args.name}-{study.best_trial.number}, loss {study.best_value:.6f}, {study.best_params}")

"""What the scripts that time gradtop beside PyTorch share: building a bench of the workspace, running programs that print JSON,
reading MNIST, the common options. Whatever is timed runs in a process of its own, with its threads set."""
import argparse
import gzip
import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
MNIST = ROOT / "datasets" / "mnist"


def parser(doc, **threads):
    """An argument parser with --python, --rounds and --threads (one number, or as `threads` says), described by the first line of `doc`."""
    made = argparse.ArgumentParser(description=doc.splitlines()[0])
    made.add_argument("--python", default=sys.executable, help="a Python with torch 2.11.0 (and numpy, where images are read)")
    made.add_argument("--rounds", type=int, default=3)
    made.add_argument("--threads", type=int, **(threads or {"default": 1}))
    return made


def bench_program(name, package="gradtop-toolkit"):
    """Builds a bench of this name and gives the path of its program."""
    command = ["cargo", "build", "--release", "-p", package, "--bench", name, "--message-format=json"]
    built = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    for line in built.stdout.splitlines():
        message = json.loads(line)
        if message.get("target", {}).get("name") == name and message.get("executable"):
            return message["executable"]
    sys.exit(f"cargo built no program called {name}")


def measured_lines(command, threads):
    """Runs a program; gives what each line of its output says in JSON. One that fails ends the comparison."""
    environment = dict(os.environ, OMP_NUM_THREADS=str(threads), MKL_NUM_THREADS=str(threads))
    try:
        done = subprocess.run(command, env=environment, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    except FileNotFoundError:
        sys.exit(f"there is no program {command[0]}")
    except subprocess.CalledProcessError as error:
        sys.exit(f"{command[0]} ended with {error.returncode}; what it said stands above")
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def measured(command, threads):
    """The last of them."""
    return measured_lines(command, threads)[-1]


def mnist_bytes(part):
    """Images `[n, 784]` of `train` or `t10k` and their labels `[n]`, as arrays of bytes."""
    import numpy as np

    def read(name, header):
        data = gzip.open(MNIST / f"{part}-{name}-ubyte.gz").read()[header:]
        return np.frombuffer(data, np.uint8).copy()

    return read("images-idx3", 16).reshape(-1, 784), read("labels-idx1", 8)

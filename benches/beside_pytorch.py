"""What the scripts that time gradtop beside PyTorch share: their options, running programs in turns, reading MNIST, reporting.
Whatever is timed runs in a process of its own, with its threads set, and prints JSON. Without PyTorch gradtop is timed alone."""
import argparse
import gzip
import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
MNIST = ROOT / "datasets" / "mnist"


def parser(doc):
    """An argument parser with --python, --rounds, --threads and --as-pytorch, described by the first line of `doc`."""
    made = argparse.ArgumentParser(description=doc.splitlines()[0])
    made.add_argument("--python", default=sys.executable, help="a Python with torch 2.11.0 (and numpy, where images are read)")
    made.add_argument("--rounds", type=int, default=3)
    made.add_argument("--threads", type=int, default=1)
    made.add_argument("--as-pytorch", metavar="HOW", help=argparse.SUPPRESS)
    return made


def has(python, module):
    """Whether this Python can import a module."""
    code = f"import importlib.util as u, sys; sys.exit(u.find_spec('{module}') is None)"
    return subprocess.run([python, "-c", code], check=False).returncode == 0


def bench_program(name):
    """Builds a bench of this name and gives the path of its program."""
    command = ["cargo", "build", "--release", "--workspace", "--bench", name, "--message-format=json"]
    built = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    for line in built.stdout.splitlines():
        message = json.loads(line)
        if message.get("target", {}).get("name") == name and message.get("executable"):
            return message["executable"]
    sys.exit(f"cargo built no program called {name}")


def best_of(options, ours, theirs, script):
    """Runs programs in turns, round after round, because a shared machine's speed drifts, and gives the best that each said: the
    lowest of seconds, the highest of all else, because noise only ever slows. `ours` and `theirs` are arguments by name: of programs
    of gradtop, and of `script` as PyTorch."""
    threads = ["--threads", str(options.threads)]
    programs = {name: [*command, *threads] for name, command in ours.items()}
    if has(options.python, "torch"):
        programs |= {n: [options.python, script, *threads, *words] for n, words in theirs.items()}
    else:
        print(f"  {options.python} has no PyTorch to compare with: --python names one that has")
    best = {name: {} for name in programs}
    for _ in range(options.rounds):
        for name, command in programs.items():
            for key, value in measured(command, options.threads).items():
                better = min if key.endswith("_s") and "_per_" not in key else max
                best[name][key] = better(best[name].get(key, value), value)
    return best


def measured(command, threads=1):
    """Runs a program; gives what the lines of its output say in JSON. One that fails ends the comparison."""
    environment = dict(os.environ, OMP_NUM_THREADS=str(threads), MKL_NUM_THREADS=str(threads))
    try:
        done = subprocess.run(command, env=environment, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    except FileNotFoundError:
        sys.exit(f"there is no program {command[0]}")
    except subprocess.CalledProcessError as error:
        sys.exit(f"{command[0]} ended with {error.returncode}; what it said stands above")
    said = {}
    for line in done.stdout.splitlines():
        if line.startswith("{"):
            said |= json.loads(line)
    return said


def report(name, value, others=None, limit=None):
    """Prints a figure in the words of figures.txt, with its ratio to what others reach, and keeps it for `cargo xtask bench --report`."""
    rows = ([cell.strip() for cell in line.split("|")] for line in open(ROOT / "benches" / "figures.txt"))
    _, _, what, unit, better, wanted, _ = next(row for row in rows if row[1:2] == [name])
    print(f"  {what:<76} {value:>10.6g} {unit:<9} wanted {wanted}")
    for other, theirs in (others or {}).items():
        ratio = value / theirs if better == "more" else theirs / value
        print(f"    {other:<74} {theirs:>10.6g} {unit:<9} {ratio:.2f}x", flush=True)
    if "GRADTOP_BENCH_RECORD" in os.environ:
        with open(os.environ["GRADTOP_BENCH_RECORD"], "a") as record:
            record.write(f"measured\t{name}\t{value}\n")
            record.writelines(f"beside\t{name}\t{theirs}\t{other}\n" for other, theirs in (others or {}).items())
            if limit:
                record.write(f"limit\t{name}\t{limit}\n")


def matrix_limit(options, multiplications):
    """How often a second this many multiplications and additions could be done if matrices of 512 were multiplied all the time."""
    found = measured([bench_program("peak"), "--threads", str(options.threads)], options.threads)
    return found["multiplications_per_s"] / multiplications


def mnist_bytes(part):
    """Images `[n, 784]` of `train` or `t10k` and their labels `[n]`, as arrays of bytes."""
    import numpy as np

    def read(name, header):
        data = gzip.open(MNIST / f"{part}-{name}-ubyte.gz").read()[header:]
        return np.frombuffer(data, np.uint8).copy()

    return read("images-idx3", 16).reshape(-1, 784), read("labels-idx1", 8)

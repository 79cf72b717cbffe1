#!/usr/bin/env python3
"""What loggers of Python cost for ten metrics a step: the import, a call, and a point to the end of their file.

Usage: benches/loggers.py [--python PYTHON] [--steps 10000] [--rounds 1]

The client of gradtop, to the end of its run in sealed Parquet, for ten times as many steps as the others: a million points; a CSV
file; and TensorBoard, wandb offline and trackio where PYTHON has them. Each has a process of its own, and of several rounds the best counts. `cargo xtask bench logging` calls it.
"""
import json
import os
import pathlib
import struct
import subprocess
import tempfile
import time

from beside_pytorch import ROOT, has, measured, parser, report

METRICS = 10
#: Names for people, and the modules that are imported.
LOGGERS = {
    "gradtop": ("the Python client", "gradtop"),
    "csv": ("Python, a CSV file", "csv"),
    "tensorboard": ("TensorBoard", "tensorboard.summary.writer.event_file_writer"),
    "wandb": ("wandb, offline", "wandb"),
    "trackio": ("trackio", "trackio"),
}
#: Figures of the client: what each logger says of it.
FIGURES = {
    "python.import": "import_ms",
    "python.points": "points_per_s",
    "python.median": "call_p50_us",
    "python.p99": "call_p99_us",
    "python.bytes": "bytes_per_point",
}


def opened(logger, names):
    """How this logger takes a step's values, and how it is closed."""
    if logger == "gradtop":
        import gradtop

        run = gradtop.init(runs=".")

        def close():
            run.finish()
            subprocess.run([os.environ["GRADTOP_PROGRAM"], "wait", run.name, "--runs", "."], check=True, stdout=subprocess.DEVNULL)

        return lambda step, row: run.log(step, row), close
    if logger == "csv":
        import csv

        file = open("log.csv", "w", newline="")
        writer = csv.writer(file)
        writer.writerow(["step", *names])
        return lambda step, row: writer.writerow([step, *row.values()]), file.close
    if logger == "tensorboard":
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        writer = EventFileWriter(".")

        def log(step, row):
            for name, value in row.items():
                summary = Summary(value=[Summary.Value(tag=name, simple_value=value)])
                writer.add_event(Event(wall_time=time.time(), step=step, summary=summary))

        return log, writer.close
    if logger == "wandb":
        import wandb

        settings = wandb.Settings(console="off", silent=True, x_disable_stats=True)
        run = wandb.init(project="bench", mode="offline", settings=settings)
        return lambda step, row: run.log(row, step=step), run.finish
    import trackio

    trackio.init(project="bench", embed=False)
    return lambda step, row: trackio.log(row, step=step), trackio.finish


def timed(logger, steps):
    """One logger, timed; runs in a process of its own, and sends nothing anywhere."""
    os.environ |= {"WANDB_MODE": "offline", "WANDB_SILENT": "true", "DO_NOT_TRACK": "1", "HF_HUB_OFFLINE": "1"}
    names = [f"train/metric_{n}" for n in range(METRICS)]
    # Losses of PyTorch are 32-bit floats.
    value = lambda step, n: (1 + n) / (1 + step / 500) + 0.01 * (step * (7 + n) % 13)
    pack = struct.Struct(f"{METRICS}f")
    rows = [dict(zip(names, pack.unpack(pack.pack(*(value(step, n) for n in range(METRICS)))))) for step in range(steps)]
    calls = []
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        os.environ["TRACKIO_DIR"] = folder
        log, close = opened(logger, names)
        began = time.perf_counter()
        for step, row in enumerate(rows):
            before = time.perf_counter_ns()
            log(step, row)
            calls.append(time.perf_counter_ns() - before)
        close()
        seconds = time.perf_counter() - began
        size = sum(file.stat().st_size for file in pathlib.Path(folder).rglob("*") if file.is_file())
        os.chdir("/")
    calls.sort()
    points = steps * METRICS
    said = {"points_per_s": points / seconds, "call_p50_us": calls[steps // 2] / 1e3, "call_p99_us": calls[steps * 99 // 100] / 1e3}
    print(json.dumps({**said, "bytes_per_point": size / points}))


def main():
    arguments = parser(__doc__)
    arguments.set_defaults(rounds=1)
    arguments.add_argument("--steps", type=int, default=10_000)
    arguments.add_argument("--logger")
    options = arguments.parse_args()
    if options.logger:
        timed(options.logger, options.steps)
        return
    os.environ.setdefault("GRADTOP_PROGRAM", str(ROOT / "target/release/gradtop"))
    os.environ["PYTHONPATH"] = str(ROOT / "python")
    with tempfile.TemporaryDirectory() as compiled:
        # Modules that pip installs are compiled; without this each import would compile the client anew.
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = compiled
        compare(options)


def compare(options):
    """Times every logger and prints the client's figures beside those of the others."""
    found = {}
    for logger, (name, module) in LOGGERS.items():
        if not has(options.python, module.partition(".")[0]):
            continue
        imported = f"import json, time\nt = time.perf_counter()\nimport {module}\nprint(json.dumps({{'import_ms': 1e3 * (time.perf_counter() - t)}}))"
        best = found[name] = {}
        for _ in range(options.rounds):
            steps = options.steps * (10 if logger == "gradtop" else 1)
            logging = [__file__, "--logger", logger, "--steps", str(steps)]
            for command in (logging, *3 * [["-c", imported]]):
                for key, value in measured([options.python, *command]).items():
                    better = max if key == "points_per_s" else min
                    best[key] = better(best.get(key, value), value)
    (_, ours), *others = found.items()
    for figure, key in FIGURES.items():
        report(figure, ours[key], {name: best[key] for name, best in others})
    if "GRADTOP_BENCH_RECORD" in os.environ:
        with open(os.environ["GRADTOP_BENCH_RECORD"], "a") as record:
            for name, best in others:
                record.write(f"beside\tlog.sealed\t{1e9 / best['points_per_s']}\t{name}\n")


if __name__ == "__main__":
    main()

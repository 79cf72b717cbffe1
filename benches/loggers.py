#!/usr/bin/env python3
"""Nanoseconds a point that loggers of Python need for ten metrics a step, in their own process, to the end of their file.

Usage: benches/loggers.py [--python PYTHON] [--steps 10000]

A CSV file, and TensorBoard, wandb offline and trackio where PYTHON has them. `cargo xtask bench logging` calls it.
"""
import json
import os
import tempfile
import time

from beside_pytorch import has, measured, parser

METRICS = 10


def opened(logger, names):
    """How this logger takes a step's values, and how it is closed."""
    if logger == "csv":
        import csv

        file = open("log.csv", "w", newline="")
        writer = csv.writer(file)
        writer.writerow(["step", *names])
        return lambda step, row: writer.writerow([step, *row]), file.close
    if logger == "tensorboard":
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        writer = EventFileWriter(".")

        def log(step, row):
            for name, value in zip(names, row):
                summary = Summary(value=[Summary.Value(tag=name, simple_value=value)])
                writer.add_event(Event(wall_time=time.time(), step=step, summary=summary))

        return log, writer.close
    if logger == "wandb":
        import wandb

        settings = wandb.Settings(console="off", silent=True, x_disable_stats=True)
        run = wandb.init(project="bench", mode="offline", settings=settings)
        return lambda step, row: run.log(dict(zip(names, row)), step=step), run.finish
    import trackio

    trackio.init(project="bench", embed=False)
    return lambda step, row: trackio.log(dict(zip(names, row)), step=step), trackio.finish


def timed(logger, steps):
    """One logger, timed; runs in a process of its own, and sends nothing anywhere."""
    os.environ |= {"WANDB_MODE": "offline", "WANDB_SILENT": "true", "DO_NOT_TRACK": "1", "HF_HUB_OFFLINE": "1"}
    names = [f"train/metric_{n}" for n in range(METRICS)]
    rows = [[(1 + n) / (1 + step / 500) + 0.01 * (step * (7 + n) % 13) for n in range(METRICS)] for step in range(steps)]
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        os.environ["TRACKIO_DIR"] = folder
        start = time.perf_counter()
        log, close = opened(logger, names)
        began = time.perf_counter()
        for step, row in enumerate(rows):
            log(step, row)
        close()
        seconds = time.perf_counter() - began
        print(json.dumps({"ns_per_point": 1e9 * seconds / (steps * METRICS), "opening_s": began - start}))
        os.chdir("/")


def main():
    arguments = parser(__doc__)
    arguments.add_argument("--steps", type=int, default=10_000)
    arguments.add_argument("--logger")
    options = arguments.parse_args()
    if options.logger:
        timed(options.logger, options.steps)
        return
    known = {"csv": "Python, a CSV file", "tensorboard": "TensorBoard", "wandb": "wandb, offline", "trackio": "trackio"}
    for logger in filter(lambda logger: has(options.python, logger), known):
        found = measured([options.python, __file__, "--logger", logger, "--steps", str(options.steps)])["ns_per_point"]
        print(f"  {known[logger]:<76} {found:>10.6g} ns a point", flush=True)
        if "GRADTOP_BENCH_RECORD" in os.environ:
            with open(os.environ["GRADTOP_BENCH_RECORD"], "a") as record:
                record.write(f"beside\tlog.sealed\t{found}\t{known[logger]}\n")


if __name__ == "__main__":
    main()

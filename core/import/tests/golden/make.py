"""Writes the logs in this folder with the tools that people use, and what those tools say is in them.

    python -m venv env
    env/bin/pip install tensorboard==2.21.0 tensorboardX==2.6.5 wandb==0.31.0 numpy==2.4.6
    env/bin/python make.py

metrics.csv and trainer_state.json are written here as Lightning's CSVLogger and transformers' TrainerState write them (the
csv and json modules with the same arguments): both import PyTorch. expected.json holds the rows, read back with the tool
itself where it has a reader.
"""

import csv
import json
import math
import os
import shutil
import struct
from pathlib import Path

HERE = Path(__file__).parent


def rows_of_events(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util import tensor_util

    accumulator = EventAccumulator(str(folder), size_guidance={"scalars": 0, "tensors": 0})
    accumulator.Reload()
    tags = accumulator.Tags()
    rows = {
        tag: [[e.step, round(e.wall_time * 1e6), e.value] for e in accumulator.Scalars(tag)]
        for tag in tags["scalars"]
    }
    for tag in tags["tensors"]:
        plugin = accumulator.SummaryMetadata(tag).plugin_data.plugin_name
        if plugin == "scalars":
            rows[tag] = [
                [e.step, round(e.wall_time * 1e6), float(tensor_util.make_ndarray(e.tensor_proto))]
                for e in accumulator.Tensors(tag)
            ]
    return rows


def tensorboardx(folder):
    from tensorboardX import SummaryWriter

    with SummaryWriter(str(folder)) as writer:
        for step in [0, 1, 2, 3, 2, 3, 4]:  # a restart: steps go back
            writer.add_scalar("train/loss", 1 / (step + 3), step, walltime=1.7e9 + step)
        writer.add_scalar("loss/val", float("nan"), 4, walltime=1.7e9 + 4)
        writer.add_scalar("loss/val", float("inf"), 5, walltime=1.7e9 + 5.25)
        writer.add_text("note", "hello, **world**", 3, walltime=1.7e9 + 6)
        writer.add_histogram("weights", [-1.0, 0.5, 0.5, 2.0], 4, bins=[-2, 0, 1, 3], walltime=1.7e9 + 7)
        writer.add_image("picture", [[[0, 1], [1, 0]]] * 3, 4, walltime=1.7e9 + 8)
    with SummaryWriter(str(folder / "1700000009.5")) as writer:  # as PyTorch's add_hparams does
        from tensorboardX.summary import hparams

        parameters = {"lr": 1e-3, "batch": 64, "optimizer": "adam", "nesterov": True}
        for summary in hparams(parameters, {"hparam/accuracy": 0.9}):
            writer.file_writer.add_summary(summary)


def tensorflow2(folder):
    """As TensorFlow 2 and Keras write: scalars are tensors. TensorBoard's own writer, which PyTorch uses too."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.plugins.hparams import summary_v2 as hparams
    from tensorboard.plugins.scalar import summary_v2 as scalar
    from tensorboard.plugins.text import summary_v2 as text
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    writer = EventFileWriter(str(folder))
    start = hparams.hparams_pb({"lr": 0.01, "units": 16}, trial_id="t", start_time_secs=1.7e9)
    writer.add_event(Event(wall_time=1.7e9, summary=start))
    for step in range(5):
        writer.add_event(Event(wall_time=1.7e9 + step, step=step, summary=scalar.scalar_pb("epoch_loss", 0.1 * step)))
        summary = scalar.scalar_pb("epoch_val_accuracy", 1 - 0.1 * step)
        if step > 0:  # TensorFlow names the plugin with the first value of a file only
            summary.value[0].ClearField("metadata")
        writer.add_event(Event(wall_time=1.7e9 + step + 0.5, step=step, summary=summary))
    writer.add_event(Event(wall_time=1.7e9 + 9, step=2, summary=text.text_pb("note", "one\ntwo")))
    writer.close()


def wandb_offline(folder):
    os.environ["WANDB_SILENT"] = "true"
    import wandb

    work = folder / "work"
    work.mkdir(parents=True)
    config = {"lr": 1e-3, "layers": [64, 64], "model": {"name": "mlp", "depth": 3}, "flag": True, "seed": 7}
    settings = wandb.Settings(x_disable_stats=True, x_disable_meta=True, console="off", x_save_requirements=False)
    run = wandb.init(project="golden", id="golden01", mode="offline", dir=work, config=config, settings=settings)
    rows = {}
    # Enough for two blocks, so that records lie across the edge.
    for step in range(120):
        values = {"train/loss": 1 / (step + 3), "val": {"loss": 2 / (step + 3)}, "small": 1.5e-300}
        if step == 3:
            values |= {"small": float("nan"), "val": {"loss": float("-inf")}}
        if step == 5:
            values |= {"note": "a text", "flag": True}
        run.log(values | {"epoch": step / 4})
        flat = {"train/loss": values["train/loss"], "val/loss": values["val"]["loss"], "small": values["small"]}
        for name, value in flat.items():
            rows.setdefault(name, []).append([step, None, value])
    run.config.update({"later": "yes"})
    run.finish()
    wandb.teardown()  # it writes to the file until its own process has ended
    (file,) = work.glob("wandb/offline-run-*/*.wandb")
    shutil.copy(file, folder / "run-golden01.wandb")
    shutil.rmtree(work)
    return rows


def metrics_csv(folder):
    keys = ["epoch", "step", "train_loss_epoch", "train_loss_step", "val_acc"]
    data = []
    for step in range(0, 40, 10):
        data.append({"epoch": step // 20, "step": step, "train_loss_step": 1 / (step + 1)})
        if step % 20 == 10:
            data.append({"epoch": step // 20, "step": step, "val_acc": step / 100})
            data.append({"epoch": step // 20, "step": step, "train_loss_epoch": math.sqrt(step)})
    folder.mkdir(parents=True)
    with open(folder / "metrics.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=keys)
        writer.writeheader()
        writer.writerows(data)
    return {
        key: [[row["step"], None, row[key]] for row in data if key in row] for key in keys if key not in ("epoch", "step")
    }


def trainer_state(folder):
    history = []
    for step in range(10, 60, 10):
        history.append(
            {"epoch": step / 25, "grad_norm": 3.5 / step, "learning_rate": 5e-05 / step, "loss": 1 / step, "step": step}
        )
        if step == 30:
            history[-1]["loss"] = float("nan")
            history.append(
                {"epoch": step / 25, "eval_loss": 0.75, "eval_accuracy": 0.5, "eval_runtime": 1.25, "step": step}
            )
    history.append({"epoch": 2.0, "step": 50, "total_flos": 0.0, "train_loss": 0.4, "train_runtime": 8.5})
    state = {
        "best_metric": None,
        "epoch": 2.0,
        "eval_steps": 30,
        "global_step": 50,
        "is_hyper_param_search": False,
        "log_history": history,
        "logging_steps": 10,
        "max_steps": 50,
        "stateful_callbacks": {"TrainerControl": {"args": {"should_log": False}, "attributes": {}}},
        "train_batch_size": 8,
    }
    checkpoint = folder / "checkpoint-50"
    checkpoint.mkdir(parents=True)
    (checkpoint / "trainer_state.json").write_text(json.dumps(state, indent=2, sort_keys=True) + "\n")
    rows = {}
    for entry in history:
        for name, value in entry.items():
            if name not in ("step", "epoch"):
                rows.setdefault(name, []).append([entry["step"], None, value])
    return rows


def json_lines(folder):
    folder.mkdir(parents=True)
    rows, lines = {}, []
    for step in range(20):
        entry = {"step": step, "time": 1.7e9 + step, "train": {"loss": 1 / (step + 1)}, "lr": 1e-4, "host": "a"}
        if step == 7:
            entry["train"]["loss"] = float("inf")
        lines.append(json.dumps(entry))
        rows.setdefault("train/loss", []).append([step, round((1.7e9 + step) * 1e6), entry["train"]["loss"]])
        rows.setdefault("lr", []).append([step, round((1.7e9 + step) * 1e6), 1e-4])
    (folder / "metrics.jsonl").write_text("\n".join(lines) + "\n")
    return rows


def main():
    expected = {}
    for name, make in [
        ("tensorboardx", tensorboardx),
        ("tensorflow2", tensorflow2),
        ("wandb", wandb_offline),
        ("lightning", metrics_csv),
        ("transformers", trainer_state),
        ("jsonl", json_lines),
    ]:
        folder = HERE / name
        shutil.rmtree(folder, ignore_errors=True)
        rows = make(folder)
        if rows is None:
            rows = rows_of_events(folder)
            for within in folder.glob("1*"):
                rows |= rows_of_events(within)
            # Their names hold the machine's name and the moment.
            for number, file in enumerate(sorted(folder.rglob("events.out.tfevents.*"))):
                file.rename(file.with_name(f"events.out.tfevents.170000000{number}.golden"))
        # The bits of each value: JSON has no infinities.
        bits = lambda value: struct.pack(">d", value).hex()
        expected[name] = {tag: [[s, t, bits(v)] for s, t, v in found] for tag, found in sorted(rows.items())}
    (HERE / "expected.json").write_text(json.dumps(expected, indent=None, separators=(",", ":")) + "\n")


main()

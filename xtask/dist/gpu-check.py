#!/usr/bin/env python3
"""Checks gradtop on a GPU: `doctor`, `selftest` (each experiment there and on the CPU), speed beside PyTorch, what is shown of the
GPU, two runs at once, a full card.

Needs Python with torch 2.11 (for PyTorch's side and to fill the card) and, for a GPU, an NVIDIA driver. No
network, no installation: everything else lies beside this file. What happens is told on standard error; the report, JSON,
goes to standard output and to OUT/report.json.

Exit codes: 0 everything worked, 1 something failed, 2 the check could not begin.
"""

import argparse
import csv
import importlib.util
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

BUNDLE = Path(__file__).resolve().parent
TORCH = "2.11.0"
SEED = "1"
# The experiment of the parts that need only one.
EXPERIMENT = "function-fit"
# Takes a card's memory until it is killed.
HOG = """
import sys, torch
held, size = [], 1 << 30
while size > 1 << 20:
    try:
        held.append(torch.empty(size, dtype=torch.uint8, device=sys.argv[1]))
    except torch.OutOfMemoryError:
        size //= 2
print("full", flush=True)
sys.stdin.read()
"""


# What is timed beside PyTorch: the experiment, how it is set, and the steps on a GPU and where the check itself is tried.
BESIDE = {
    "fit": ("function-fit", "steps", (20000, 2000), [
        "functions=sinc", "models=deep", "points=1000", "batch=0", "rates=", "trials=1", "eval_every=1000000", "table_every=0"]),
    "lenet": ("image-classification", "train_samples", (20032, 3200), [
        "models=lenet", "rates=", "trials=1", "epochs=1", "batch=64", "test_samples=100", "log_every=5"]),
}
# The same work in PyTorch, as eager, fused or compiled code: prints steps a second after a warm-up.
PYTORCH = """
import sys, time
import torch
from torch import nn
work, how, device, seconds = sys.argv[1], sys.argv[2], sys.argv[3], float(sys.argv[4])
torch.manual_seed(0)
if device == "cpu":
    torch.set_num_threads(1)
if work == "fit":
    widths = [1, 5, 10, 10, 10, 10, 10, 5, 1]
    layers = [layer for m, n in zip(widths, widths[1:]) for layer in (nn.Linear(m, n), nn.Tanh())][:-1]
    x = torch.linspace(1e-4, 1, 1000, device=device).unsqueeze(1)
    y, loss_fn = torch.sinc(5 * x), nn.MSELoss()
else:
    layers = [nn.Conv2d(1, 16, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 5), nn.ReLU(), nn.MaxPool2d(2),
              nn.Flatten(), nn.Linear(800, 50), nn.ReLU(), nn.Linear(50, 10)]
    x = torch.randn(20032, 1, 28, 28, device=device)
    y, loss_fn = torch.randint(10, (20032,), device=device), nn.CrossEntropyLoss()
net = nn.Sequential(*layers).to(device)
fused = {} if how == "eager" else {"fused": True}
optimizer = torch.optim.Adam(net.parameters(), lr=1e-3, **fused)
def loss_of(a, b):
    return loss_fn(net(a), b)
if how == "compiled":
    loss_of = torch.compile(loss_of, mode="default" if device == "cpu" else "reduce-overhead")
order = torch.randperm(len(x), device=device)
def step(i):
    chosen = order[i % 313 * 64:][:64]
    optimizer.zero_grad()
    (loss_of(x, y) if work == "fit" else loss_of(x[chosen], y[chosen])).backward()
    optimizer.step()
def wait():
    if device != "cpu":
        torch.cuda.synchronize(device)
for i in range(20):
    step(i)
wait()
steps, start = 0, time.perf_counter()
while time.perf_counter() - start < seconds:
    for i in range(20):
        step(i)
    steps += 20
    wait()
print(steps / (time.perf_counter() - start))
"""


class CannotBegin(Exception):
    """Why nothing was run."""


class Failed(Exception):
    """What is wrong in one part."""


def tell(text):
    print(text, file=sys.stderr, flush=True)


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cuda:0", metavar="DEVICE",
                        help="cuda:N, or cpu to try the check itself without a GPU [cuda:0]")
    parser.add_argument("--out", type=Path, metavar="DIR",
                        help="folder for the report and the runs [gpu-check-DATE in the current folder]")
    parser.add_argument("--torch", type=Path, metavar="DIR",
                        help="the folder `torch` of torch 2.11 [that of this Python]")
    parser.add_argument("--experiment", action="append", metavar="ID", help="only this one; may be given several times")
    parser.add_argument("--seconds", type=float, default=470, metavar="N", help="time for everything [470]")
    options = parser.parse_args()
    if options.device != "cpu" and not (options.device.startswith("cuda:") and options.device[5:].isdigit()):
        parser.error(f"unknown device {options.device!r}; expected cuda:N or cpu")
    return options


def find_torch(given):
    """The folder `torch` and its version, with nothing imported."""
    if given is None:
        found = importlib.util.find_spec("torch")
        if found is None or not found.origin:
            raise CannotBegin(
                f"this Python ({sys.executable}) has no torch; use one with torch {TORCH}, or name its folder with --torch"
            )
        given = Path(found.origin).parent
    library = given / "lib" / "libtorch_cpu.so"
    if not library.is_file():
        raise CannotBegin(f"{library} does not exist; --torch names the folder `torch` of torch {TORCH}")
    try:
        found = re.search(r"^__version__ = ['\"](.+)['\"]", (given / "version.py").read_text(), re.MULTILINE)
    except OSError as error:
        raise CannotBegin(f"the version of torch in {given} cannot be read: {error}") from error
    version = found[1] if found else "unknown"
    if version.split("+")[0] != TORCH:
        raise CannotBegin(f"torch in {given} is {version}; gradtop needs {TORCH}")
    return given.resolve(), version


def make_out(given):
    if given is not None:
        given.mkdir(parents=True, exist_ok=True)
        return given.resolve()
    out = Path.cwd() / time.strftime("gpu-check-%Y%m%d-%H%M%S")
    try:
        out.mkdir()
        return out
    except OSError:
        return Path(tempfile.mkdtemp(prefix="gpu-check-"))


class Gradtop:
    """The program of the bundle, in surroundings of its own: nothing of the user's is read or written."""

    def __init__(self, out, torch):
        self.program = BUNDLE / "gradtop"
        if not os.access(self.program, os.X_OK):  # unpacked by something that forgets modes
            self.program = Path(shutil.copy(self.program, out / "gradtop"))
            self.program.chmod(0o755)
        (out / "tmp").mkdir(exist_ok=True)
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("GRADTOP_")}
        self.env.update(
            GRADTOP_LIBTORCH=str(torch),
            GRADTOP_PLUGINS=str(BUNDLE),
            GRADTOP_DATASETS=str(BUNDLE / "datasets"),
            GRADTOP_RUNS=str(out / "runs"),
            TMPDIR=str(out / "tmp"),
            **{f"XDG_{kind}_HOME": str(out / kind.lower()) for kind in ("CACHE", "CONFIG", "DATA", "STATE")},
        )

    def call(self, *args, timeout=60):
        """Exit code, standard output and standard error. A command out of time is asked to end, then killed."""
        with subprocess.Popen(
            [self.program, *args], env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, encoding="utf-8", errors="replace",
        ) as process:
            try:
                out, err = process.communicate(timeout=timeout)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGTERM)
                try:
                    out, err = process.communicate(timeout=20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    out, err = process.communicate()
                return None, out, err
            return process.returncode, out, err

    def json(self, *args):
        code, out, err = self.call(*args, "--json")
        try:
            return code, json.loads(out)
        except ValueError as error:
            raise CannotBegin(f"`gradtop {' '.join(args)} --json` printed no JSON (exit code {code}): {err.strip()}") from error


class Parts:
    """What is checked, one after the other, each within its own limit and within what is left of the time."""

    def __init__(self, gradtop, device, end, report):
        self.gradtop, self.device, self.end, self.report = gradtop, device, end, report

    def part(self, name, limit, check):
        """Runs `check(limit)`, which gives what it found; what fails is put into the report under the part's name."""
        limit = min(limit, self.end - time.monotonic())
        start = time.monotonic()
        entry = {"part": name}
        try:
            if limit < 5:
                raise Failed("no time was left for it (--seconds)")
            entry["found"] = check(limit)
        except Failed as failed:
            entry["failed"] = str(failed)
            self.report["failures"].append(f"{name}: {failed}")
        entry["seconds"] = round(time.monotonic() - start, 2)
        self.report["parts"].append(entry)
        tell(f"{'FAILED' if 'failed' in entry else 'ok':<7}{name}: {entry.get('failed') or entry['found']} ({entry['seconds']} s)")

    def selftest(self, experiments):
        """Every experiment on the device and on the CPU, as `gradtop selftest` compares them."""
        def check(limit):
            only = [word for experiment in experiments for word in ("--experiment", experiment)]
            each = str(max(5, int(limit / 3)))
            code, out, err = self.gradtop.call(
                "selftest", "--device", self.device, *only, "--timeout", each, "--json", timeout=limit)
            if code is None:
                raise Failed(f"it was not finished within {limit:.0f} s")
            try:
                found = json.loads(out)
            except ValueError as error:
                raise Failed(err.strip() or f"exit code {code}, and no JSON") from error
            self.report["selftest"] = found
            tested = [*((e["experiment"], e) for e in found["experiments"]), *((c["check"], c) for c in found["checks"])]
            for name, entry in tested:
                tell(f"       {name:<22}{entry['outcome']:<9}{entry['said']}")
            failed = [f"{name}: {entry['said']}" for name, entry in tested if entry["outcome"] == "failed"]
            if failed or code != 0:
                raise Failed("; ".join(failed) or err.strip() or f"exit code {code}")
            return f"{len(found['experiments'])} experiments"
        return check

    def run(self, name, limit, *args):
        """A run to its end: exit code and what was said on standard error."""
        code, _, err = self.gradtop.call(
            "run", EXPERIMENT, "--preset", "quick", "--seed", SEED, "--threads", "1", "--device", self.device,
            "--name", name, *args, timeout=limit)
        if code is None:
            self.gradtop.call("stop", name, "--kill")
            raise Failed(f"{name} was not finished within {limit:.0f} s")
        return code, err

    def beside(self, ids):
        """Steps a second of gradtop and of PyTorch's programs, by turns on the same device."""
        def check(limit):
            end = time.monotonic() + limit
            trial = self.device == "cpu"
            self.report["beside"] = []
            said = []
            for work, (experiment, key, steps, settings) in BESIDE.items():
                if experiment not in ids:
                    continue
                name = f"beside-{work}"
                sets = [word for one in [*settings, f"{key}={steps[trial]}"] for word in ("--set", one)]
                code, _, err = self.gradtop.call(
                    "run", experiment, "--seed", SEED, "--threads", "1", "--device", self.device, "--name", name, *sets,
                    timeout=max(5, min(40, end - time.monotonic())))
                if code != 0:
                    self.gradtop.call("stop", name, "--kill")
                    raise Failed(f"{name}: {err.strip() or 'it was not finished in time'}")
                entry = {"work": work, "gradtop_steps_per_s": self.rate(name), "pytorch_steps_per_s": {}, "pytorch_failed": {}}
                for how in ("eager", "fused", "compiled"):
                    speed, failed = self.pytorch(work, how, 1 if trial else 3, end)
                    entry["pytorch_failed" if failed else "pytorch_steps_per_s"][how] = failed or speed
                self.report["beside"].append(entry)
                ratios = [f"{entry['gradtop_steps_per_s'] / speed:.2f}x {how}" for how, speed in entry["pytorch_steps_per_s"].items()]
                said.append(f"{work} {entry['gradtop_steps_per_s']:.0f} steps/s, {', '.join(ratios) or 'PyTorch could not be run'}")
            return "; ".join(said) or "none of the experiments that were asked for"
        return check

    def rate(self, name):
        """Steps a second between the first and the last row of the batch's loss."""
        rows = [(int(row["step"]), row["time"]) for row in self.rows(name) if row["metric"] == "batch_loss"]
        (first, begun), (last, ended) = rows[0], rows[-1]
        took = (datetime.fromisoformat(ended.rstrip("Z")) - datetime.fromisoformat(begun.rstrip("Z"))).total_seconds()
        if took <= 0:
            raise Failed(f"{name}: its rows have no times to measure by")
        return (last - first) / took

    def rows(self, name):
        code, out, err = self.gradtop.call("export", name, "--csv", "-")
        if code != 0:
            raise Failed(f"{name} cannot be exported: {err.strip()}")
        return list(csv.DictReader(out.splitlines()))

    def pytorch(self, work, how, seconds, end):
        """Steps a second of one PyTorch program, or why there is none."""
        left = min(45, end - time.monotonic())
        if left < 5:
            return None, "no time was left for it"
        try:
            done = subprocess.run([sys.executable, "-c", PYTORCH, work, how, self.device, str(seconds)], timeout=left,
                                  capture_output=True, text=True, check=False)
            return float(done.stdout), None
        except subprocess.TimeoutExpired:
            return None, f"it was not finished within {left:.0f} s"
        except ValueError:
            return None, (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]

    def shown(self, limit):
        """What a run records of the GPU beside what the driver's own tool says, and the names of both."""
        if self.device == "cpu":
            return "not on a CPU"
        ask = ["nvidia-smi", f"--id={self.device[5:]}", "--query-gpu=name,memory.used", "--format=csv,noheader,nounits"]
        seen = []
        with ThreadPoolExecutor(1) as pool:
            run = pool.submit(self.run, "shown", limit - 5, "--set", "steps=15000")
            while not run.done():
                done = subprocess.run(ask, capture_output=True, text=True, timeout=10, check=False)
                if done.returncode == 0:
                    seen.append(done.stdout.strip().rsplit(", ", 1))
                time.sleep(0.5)
            code, err = run.result()
        if code != 0:
            raise Failed(f"shown: {err.strip()}")
        if not seen:
            raise Failed("nvidia-smi did not answer")
        recorded = [float(row["value"]) for row in self.rows("shown") if row["metric"] == "system/gpu_memory"]
        if not recorded:
            raise Failed("the run recorded no system/gpu_memory")
        theirs, ours = max(float(memory) for _, memory in seen), max(recorded) / (1 << 20)
        doctor = next(finding["text"] for finding in self.report["doctor"] if finding["topic"] == "gpu")
        if seen[0][0] not in doctor:
            raise Failed(f"nvidia-smi calls the GPU {seen[0][0]}, doctor says {doctor}")
        if abs(theirs - ours) > max(256, 0.05 * theirs):
            raise Failed(f"at most {ours:.0f} MiB of its memory were recorded in use, nvidia-smi saw {theirs:.0f} MiB")
        return f"{seen[0][0]}, {ours:.0f} MiB in use, nvidia-smi {theirs:.0f} MiB"

    def together(self, limit):
        """Two runs on one device at the same time."""
        with ThreadPoolExecutor(2) as pool:
            ended = [pool.submit(self.run, f"together-{n}", limit) for n in (1, 2)]
            for n, run in enumerate(ended, 1):
                code, err = run.result()
                if code != 0:
                    raise Failed(f"together-{n}: {err.strip()}")
        devices = {json.loads(self.gradtop.call("show", f"together-{n}", "--json")[1])["device"] for n in (1, 2)}
        if devices != {self.device}:
            raise Failed(f"they ran on {', '.join(sorted(devices))}")
        return f"two runs on {self.device}"

    def full(self, limit):
        """A run on a card without memory says so, and resumes or starts anew once there is some."""
        if self.device == "cpu":
            return "not on a CPU"
        hog = subprocess.Popen(
            [sys.executable, "-c", HOG, self.device], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            if hog.stdout.readline().strip() != "full":
                raise Failed("the memory could not be taken by PyTorch")
            code, err = self.run("full", limit / 2)
            _, shown, _ = self.gradtop.call("show", "full", "--json")
            cause = json.loads(shown).get("cause") if shown else None
        finally:
            hog.kill()
            hog.wait()
        if code == 0:
            raise Failed("the run finished on a full card")
        if "memory" not in f"{cause} {err}".lower():
            raise Failed(f"the cause does not speak of memory: {cause or err.strip()}")
        code, err = self.run("roomy", limit / 2)
        if code != 0:
            raise Failed(f"with memory again: {err.strip()}")
        return cause


def describe_machine(torch, version):
    gpus = []
    if shutil.which("nvidia-smi"):
        query = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
        done = subprocess.run(query, capture_output=True, text=True, timeout=60, check=False)
        gpus = done.stdout.strip().splitlines() if done.returncode == 0 else []
    return {"platform": platform.platform(), "python": platform.python_version(), "cores": len(os.sched_getaffinity(0)),
            "torch": version, "torch_folder": str(torch), "gpus": gpus}


def check(options, report, begun):
    torch, version = find_torch(options.torch)
    report["machine"] = describe_machine(torch, version)
    out = make_out(options.out)
    report["out"] = str(out)
    gradtop = Gradtop(out, torch)
    code, out_text, err = gradtop.call("--version")
    if code != 0:
        raise CannotBegin(f"the program does not start: {err.strip()}")
    report["program"] = out_text.strip()
    _, report["doctor"] = gradtop.json("doctor")
    for finding in report["doctor"]:
        tell(f"  {finding['grade']:<5}{finding['topic']:<10}{finding['text']}")
        if finding["grade"] == "bad":
            report["failures"].append(f"doctor: {finding['topic']}: {finding['text']}")
    if not report["machine"]["gpus"] and options.device != "cpu":
        tell("  nvidia-smi shows no GPU")
    gpu = next(finding for finding in report["doctor"] if finding["topic"] == "gpu")
    if options.device != "cpu" and gpu["grade"] != "good":
        raise CannotBegin(f"there is no GPU to check (doctor: {gpu['text']}); --device cpu tries the check itself")
    _, known = gradtop.json("experiments")
    ids = [experiment["id"] for experiment in known]
    if unknown := set(options.experiment or []) - set(ids):
        raise CannotBegin(f"unknown experiment {', '.join(sorted(unknown))}; there are {', '.join(ids)}")
    if not ids:
        raise CannotBegin("no experiment was found beside the script")
    parts = Parts(gradtop, options.device, begun + options.seconds, report)
    parts.part("selftest", 240, parts.selftest(options.experiment or []))
    parts.part("beside PyTorch", 90, parts.beside(options.experiment or ids))
    parts.part("what is shown", 30, parts.shown)
    parts.part("two runs at once", 60, parts.together)
    parts.part("a full card", 60, parts.full)


def main():
    options = arguments()
    start = time.monotonic()
    build = BUNDLE / "BUILD"
    report = {
        "schema": 3, "ok": False, "device": options.device, "gpu_was_used": False,
        "build": build.read_text().splitlines() if build.is_file() else None,
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "parts": [], "failures": [],
    }
    code = 2
    try:
        check(options, report, start)
        report["ok"] = not report["failures"]
        report["gpu_was_used"] = options.device != "cpu" and any("found" in part for part in report["parts"])
        code = 0 if report["ok"] else 1
    except (CannotBegin, OSError, subprocess.SubprocessError) as error:
        report["failures"].append(str(error))
    report["seconds"] = round(time.monotonic() - start, 1)
    text = json.dumps(report, indent=1)
    if "out" in report:
        path = Path(report["out"]) / "report.json"
        path.write_text(text + "\n")
        tell(f"report: {path}")
    if code == 2:
        tell(f"error: {report['failures'][-1]}")
    else:
        count = len(report["failures"])
        ended = "everything worked" if count == 0 else f"{count} failure{'s' if count > 1 else ''}, see above"
        tell(f"{ended}{'' if report['gpu_was_used'] else '; no GPU was used'}; {report['seconds']} s")
    print(text)
    return code


if __name__ == "__main__":
    sys.exit(main())

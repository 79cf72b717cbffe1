#!/usr/bin/env python3
"""Checks gradtop on a GPU: `doctor`, then one quick run of each experiment there and one on the CPU, side by side.

Needs Python with torch 2.11 (only its libraries are used, it is never imported) and, for a GPU, an NVIDIA driver. No
network, no installation: everything else lies beside this file. What happens is told on standard error; the report, JSON,
goes to standard output and to OUT/report.json.

Exit codes: 0 everything worked, 1 something failed, 2 the check could not begin.
"""

import argparse
import importlib.util
import json
import math
import os
import platform
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

BUNDLE = Path(__file__).resolve().parent
TORCH = "2.11.0"
SEED = "1"


class CannotBegin(Exception):
    """Why nothing was run."""


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
    parser.add_argument("--seconds", type=float, default=560, metavar="N", help="time for everything [560]")
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
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("GRADTOP_")}
        self.env.update(
            GRADTOP_LIBTORCH=str(torch),
            GRADTOP_PLUGINS=str(BUNDLE),
            GRADTOP_DATASETS=str(BUNDLE / "datasets"),
            GRADTOP_RUNS=str(out / "runs"),
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


def number(value):
    """A number of the program's JSON, where those that JSON lacks are texts."""
    return float(value) if isinstance(value, (int, float, str)) else math.nan


class Runs:
    """Quick runs, each within what is left of the time."""

    def __init__(self, gradtop, seconds):
        self.gradtop = gradtop
        self.end = time.monotonic() + seconds
        self.lock = threading.Lock()

    def one(self, experiment, device, name):
        left = self.end - time.monotonic()
        if left < 1:
            return {"run": name, "failed": "no time was left for it (--seconds)"}
        start = time.monotonic()
        code, _, err = self.gradtop.call(
            "run", experiment, "--preset", "quick", "--seed", SEED, "--threads", "1", "--device", device,
            "--name", name, "--json", timeout=left,
        )
        result = {"run": name, "seconds": round(time.monotonic() - start, 2), "exit_code": code}
        if code is None:
            self.gradtop.call("stop", name, "--kill")
        _, shown, _ = self.gradtop.call("show", name, "--json")
        try:
            shown = json.loads(shown)
            result.update(state=shown["state"], cause=shown["cause"], device=shown["device"],
                          steps=shown["step"], headline=shown["headline"], series=series(shown["metrics"]))
        except (ValueError, KeyError):
            pass  # no run came of it; what was said tells why
        if code is None:
            result["failed"] = "it was not finished in time (--seconds)"
        elif code != 0:
            result["failed"] = (err.strip().splitlines() or [f"exit code {code}"])[0]
        elif result.get("state") != "finished":
            result["failed"] = f"it ended {result.get('state')}"
        elif result["device"] != device:
            result["failed"] = f"it ran on {result['device']}, not on {device}"
        if "failed" in result:
            _, result["log"], _ = self.gradtop.call("logs", name, "-n", "40")
            result["stderr"] = err[-4000:]
        with self.lock:
            tell(f"  {name}: {result.get('failed', 'finished')}, {result['seconds']} s")
        return result


def series(metrics):
    """Last and best value of each series but those that measure the machine."""
    return [
        {"metric": m["metric"], "series": m["series"], "points": m["points"], "last": m["last"], "best": m["best"]}
        for m in metrics
        if not m["metric"].startswith("system/")
    ]


def compare(cpu, other, same_device):
    """How far the last and best values of the same series are apart, and what is wrong with them."""
    def key(s):
        return f"{s['metric']} {s['series'] or ''}".strip()

    left, right = ({key(s): s for s in run["series"]} for run in (cpu, other))
    wrong, apart, rows = [], [], []
    if left.keys() != right.keys():
        only = sorted(left.keys() ^ right.keys())
        (wrong if same_device else apart).append(f"series of one run only: {', '.join(only[:5])}")
    differences = []
    for name in left.keys() & right.keys():
        a, b = left[name], right[name]
        row = {"series": name}
        for which in ("last", "best"):
            if a[which] is None or b[which] is None:
                continue
            x, y = number(a[which]["value"]), number(b[which]["value"])
            row[which] = {"cpu": a[which]["value"], "device": b[which]["value"]}
            if math.isfinite(x) and not math.isfinite(y):
                wrong.append(f"{which} {name} is {y}, on the CPU {x:g}")
            elif math.isfinite(x) and which == "last":
                scale = max(abs(x), abs(y))
                row["difference"] = abs(x - y) / scale if scale else 0.0
                differences.append(row["difference"])
            if same_device and (a[which] != b[which] or a["points"] != b["points"]):
                wrong.append(f"{which} {name} differs between two runs of the same seed")
        rows.append(row)
    return {
        "series": sorted(rows, key=lambda row: -row.get("difference", 0)),
        "median_difference": statistics.median(differences) if differences else None,
        "largest_difference": max(differences, default=None),
        "notes": apart,
    }, wrong


def headline(run):
    """The mean of the first headline metric."""
    first = run["headline"][0]["metric"] if run["headline"] else None
    values = [number(h["value"]) for h in run["headline"] if h["metric"] == first]
    return first, statistics.fmean(values) if values else math.nan


def describe_machine(torch, version):
    gpus = []
    if shutil.which("nvidia-smi"):
        query = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
        done = subprocess.run(query, capture_output=True, text=True, timeout=60, check=False)
        gpus = done.stdout.strip().splitlines() if done.returncode == 0 else []
    return {"platform": platform.platform(), "python": platform.python_version(), "cores": len(os.sched_getaffinity(0)),
            "torch": version, "torch_folder": str(torch), "gpus": gpus}


def judge(report, results, device):
    """Puts each experiment's two runs side by side; says what failed."""
    for experiment, (cpu, other) in results.items():
        entry = {"experiment": experiment, "cpu": cpu, "device": other}
        failures = [f"{run['run']}: {run['failed']}" for run in (cpu, other) if "failed" in run]
        if not failures:
            entry["comparison"], failures = compare(cpu, other, device == "cpu")
        for run in (cpu, other):
            run.pop("series", None)  # in the comparison
        entry["failures"] = failures
        report["experiments"].append(entry)
        report["failures"] += [f"{experiment}: {failure}" for failure in failures]
        line = f"{'FAILED' if failures else 'ok':<7}{experiment:<22}"
        if "comparison" in entry:
            (metric, a), (_, b) = headline(cpu), headline(other)
            shown = entry["comparison"]
            line += f"{metric} {a:.5g} on the CPU, {b:.5g} on {device}; last values of {len(shown['series'])} series "
            line += ("the same" if shown["largest_difference"] == 0 else
                     f"apart by {shown['median_difference'] or 0:.2%} (median), {shown['largest_difference'] or 0:.2%} (most)")
            line += f"; {cpu['seconds']} s and {other['seconds']} s"
        tell(line)
        for failure in failures:
            tell(f"       {failure}")


def check(options, report):
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
    gpu = next(finding for finding in report["doctor"] if finding["topic"] == "gpu")
    if options.device != "cpu" and gpu["grade"] != "good":
        raise CannotBegin(f"there is no GPU to check (doctor: {gpu['text']}); --device cpu tries the check itself")
    _, known = gradtop.json("experiments")
    ids = [experiment["id"] for experiment in known]
    if unknown := set(options.experiment or []) - set(ids):
        raise CannotBegin(f"unknown experiment {', '.join(sorted(unknown))}; there are {', '.join(ids)}")
    ids = options.experiment or ids
    if not ids:
        raise CannotBegin("no experiment was found beside the script")
    tell(f"{len(ids)} quick runs on {options.device}, and as many on the CPU")
    runs = Runs(gradtop, options.seconds)
    # On the device one after the other; on the CPU, one thread each, as many as leave a core to the other.
    with ThreadPoolExecutor(max(1, report["machine"]["cores"] - 1)) as cpu, ThreadPoolExecutor(1) as other:
        pairs = {
            i: (cpu.submit(runs.one, i, "cpu", f"cpu-{i}"),
                other.submit(runs.one, i, options.device, f"{'again' if options.device == 'cpu' else 'gpu'}-{i}"))
            for i in ids
        }
        try:
            results = {i: (a.result(), b.result()) for i, (a, b) in pairs.items()}
        except KeyboardInterrupt:
            runs.end = 0  # those not begun do not begin
            raise
    judge(report, results, options.device)


def main():
    options = arguments()
    start = time.monotonic()
    commit = BUNDLE / "commit"
    report = {
        "schema": 1, "ok": False, "device": options.device, "gpu_was_used": False,
        "commit": commit.read_text().strip() if commit.is_file() else None,
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "experiments": [], "failures": [],
    }
    code = 2
    try:
        check(options, report)
        report["ok"] = not report["failures"]
        report["gpu_was_used"] = any(str(e["device"].get("device")).startswith("cuda") for e in report["experiments"])
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

"""Log training to gradtop: curves, parameters, tables and checkpoints of any Python program.

    import gradtop

    run = gradtop.init(params={"lr": 1e-3}, metrics={"loss": "min"})
    for step in run.steps(1000):
        run.log(step, loss=loss, split="train")

A single file without dependencies. Values are sent over a socket to a gradtop process, so what a call has logged survives a kill
of this process. After `init`, nothing here raises into the training loop: errors are reported once on standard error.
docs/python.md is the manual, docs/sink.md describes the protocol.
"""

from __future__ import annotations

import _thread
import functools
import operator
import os
import select
import socket
import struct
import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterable, Iterator, List, Optional, Sequence, Tuple, Union

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType
    from typing import Type

__all__ = ["Run", "SummaryWriter", "config", "finish", "init", "log", "run", "summary"]
# `LightningLogger`, `LightningCallback` and `HFCallback` are created on first use, with the installed library.
__version__ = "0.1.0"

PROTOCOL = "gradtop.lines/1"
#: The most points kept while there is no connection.
BACKLOG = 100_000
#: The most table rows in one message.
_TABLE_ROWS = 10_000
#: The header of a row: kind, length, shape, step, time, epoch.
_HEAD = "<BIIqqd"
_BODY = 28
_NAN = float("nan")
#: Steps are at least -_STEPS and less than _STEPS.
_STEPS = 1 << 63

Number = Any  #: Anything that `float()` accepts: a tensor with one element, a NumPy scalar.

_said: set = set()


def _say(text: str) -> None:
    """Prints a message on standard error, once."""
    if text not in _said and len(_said) < 200:
        _said.add(text)
        try:
            print(f"gradtop: {text}", file=sys.stderr, flush=True)
        except Exception:
            pass


def _cut(text: str) -> str:
    """Shortens a text for a message."""
    return text if len(text) <= 80 else text[:79] + "…"


def _quoted(value: Any) -> str:
    """The repr of a value for a message."""
    try:
        return _cut(repr(value))
    except Exception:
        return f"a {type(value).__name__}"


def _cause(error: Optional[BaseException]) -> Optional[str]:
    """Describes an exception, if there is one."""
    if error is None:
        return None
    try:
        why = str(error)
    except Exception:
        why = ""
    return f"{type(error).__name__}: {why}" if why else type(error).__name__


def _failed(what: str, error: BaseException) -> None:
    """Reports once why a call did nothing."""
    why = _cause(error) or ""
    if isinstance(error, (TypeError, ValueError)):
        why = why.partition(": ")[2] or why
    _say(f"{what}: {why[:500]}")


class _Nothing:
    """A null object: it can be called, entered and queried, and does nothing."""

    def __call__(self, *args: Any, **kwargs: Any) -> "_Nothing":
        return self

    def __getattr__(self, name: str) -> "_Nothing":
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __bool__(self) -> bool:
        return False

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def __enter__(self) -> "_Nothing":
        return self

    def __exit__(self, *args: Any) -> None:
        pass


_nothing = _Nothing()


def _quiet(call: Callable[..., Any], instead: Any = None) -> Callable[..., Any]:
    """Wraps a function so that it never raises: errors are reported once, and it returns `instead`."""

    @functools.wraps(call)
    def quiet(*args: Any, **kwargs: Any) -> Any:
        try:
            return call(*args, **kwargs)
        except Exception as error:
            _failed(call.__name__, error)
            return instead

    return quiet


def _all_quiet(**instead: Any) -> Callable[[type], type]:
    """Makes each public method of a class `_quiet`; `instead` has return values for those that cannot return None."""

    def wrap(cls: type) -> type:
        for name, member in list(vars(cls).items()):
            if not name.startswith("_") and callable(member):
                setattr(cls, name, _quiet(member, instead.get(name)))
        return cls

    return wrap


def _whole(value: Any, what: str = "a step") -> int:
    """Converts any kind of whole number to int; raises `ValueError` for everything else."""
    try:
        whole = operator.index(value)
    except TypeError:
        if not (isinstance(value, float) and value.is_integer()):
            raise ValueError(f"{what} is a whole number, not {_quoted(value)}") from None
        whole = int(value)
    if not -_STEPS <= whole < _STEPS:
        raise ValueError(f"{what} has at most 64 bits, not {_quoted(whole)}")
    return whole


def _plain(value: Any) -> Any:
    """Converts a value for JSON."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        if -_STEPS <= value < _STEPS:
            return value
        try:
            return float(value)
        except OverflowError:
            return str(value)
    if isinstance(value, float):
        return value if value - value == 0.0 else str(value)
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [_plain(v) for v in value]
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if hasattr(value, "item"):
        return _plain(value.item())
    try:
        return _plain(vars(value)) if type(value).__name__ == "Namespace" else str(value)
    except Exception:
        return repr(type(value))


def _flat(params: Any, prefix: str = "") -> Dict[str, Any]:
    """Flattens nested parameters to dotted names."""
    if params is None:
        return {}
    if not isinstance(params, Mapping):
        if not hasattr(params, "__dict__"):
            raise TypeError(f"parameters are a dictionary or what argparse gives, not {_quoted(params)}")
        params = vars(params)
    out: Dict[str, Any] = {}
    for key, value in params.items():
        try:
            name = f"{prefix}{key}"
            if isinstance(value, Mapping) and value:
                out.update(_flat(value, name + "."))
            else:
                out[name] = _plain(value)
        except Exception as error:
            _failed(f"{_quoted(key)} is left out", error)
    return out


class _Sink:
    """The connection to the recording process."""

    def __init__(self, address: str, rank: int, world: int) -> None:
        self.address = address
        self.rank = rank
        self.world = world
        self.lock = _thread.RLock()
        self.socket: Optional[socket.socket] = None
        #: Messages that later ones depend on; repeated to each new sink.
        self.known: List[bytes] = []
        self.backlog: List[bytes] = []
        self.points = 0
        self.dropped = 0
        self.retry = 0.0
        self.wait = 0.05
        self.orders = b""
        self.drop_when_full = False
        self.waited = 0.0

    def connect(self) -> None:
        """Connects; raises OSError if nobody listens."""
        new = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            new.settimeout(5.0)
            new.connect(self.address)
            new.settimeout(None)
            new.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)
            hello = {"do": "hello", "protocol": PROTOCOL, "client": "python " + sys.version.split()[0]}
            hello.update(rank=self.rank, world=self.world)  # type: ignore[call-overload]
            new.sendall(_line(hello) + b"".join(self.known))
            for piece in self.backlog:
                new.sendall(piece)
        except OSError:
            new.close()
            raise
        self.backlog.clear()
        self.points = 0
        self.orders = b""
        self.socket = new
        self.wait = 0.05
        if self.dropped:
            dropped, self.dropped = self.dropped, 0
            self.send(_line({"do": "waited", "ms": self.waited * 1e3, "dropped": dropped}), 0)

    def send(self, data: bytes, points: int) -> None:
        """Sends data, or keeps it until there is a connection again. Never raises."""
        with self.lock:
            if self.socket is None and not self._again():
                self._keep(data, points)
                return
            assert self.socket is not None
            try:
                if self.drop_when_full and points:
                    self._send_or_drop(data, points)
                else:
                    self.socket.sendall(data)
            except OSError:
                self._lost()
                # A partly sent message is lost with its receiver.
                self._keep(data, points)
            except BaseException:
                # Interrupted, perhaps halfway: what follows must not be taken for the rest.
                self._lost()
                raise

    def _send_or_drop(self, data: bytes, points: int) -> None:
        assert self.socket is not None
        try:
            sent = self.socket.send(data, socket.MSG_DONTWAIT)
        except BlockingIOError:
            self.dropped += points
            return
        if sent < len(data):
            self.socket.sendall(data[sent:])

    def _keep(self, data: bytes, points: int) -> None:
        if self.points + points > BACKLOG:
            self.dropped += points
            _say("nobody records: what is logged is dropped until somebody does")
            return
        self.points += points
        self.backlog.append(data)

    def _lost(self) -> None:
        if self.socket is not None:
            self.socket.close()
        self.socket = None
        self.retry = time.monotonic() + self.wait

    def _again(self) -> bool:
        """Tries to reconnect, at intervals."""
        now = time.monotonic()
        if now < self.retry:
            return False
        try:
            self.connect()
        except OSError:
            self.wait = min(2.0, 2.0 * self.wait)
            self.retry = now + self.wait
            return False
        return True

    def drain(self) -> None:
        """At the end, delivers what is kept if a sink comes back in time."""
        end = time.monotonic() + 5.0
        with self.lock:
            while self.backlog and not self._again() and time.monotonic() < end and os.path.exists(self.address):
                time.sleep(0.02)
            if self.points:
                _say(f"nobody records: {self.points} points are lost")

    def heard(self, patience: Optional[float] = 0.0) -> Optional[List[Dict[str, Any]]]:
        """Receives messages of the sink, waiting at most so many seconds; None if it is gone."""
        with self.lock:
            if self.socket is None and not self._again():
                return None
            assert self.socket is not None
            try:
                if patience == 0.0 and not _is_readable(self.socket, 0):
                    return []
                if patience != 0.0 and not _is_readable(self.socket, patience):
                    return []
                data = self.socket.recv(65536)
            except OSError:
                data = b""
            if not data:
                self._lost()
                return None
            import json

            lines = (self.orders + data).split(b"\n")
            self.orders = lines.pop()
            out = []
            for line in lines:
                try:
                    out.append(json.loads(line))
                except ValueError:
                    pass
            return out

    def forget(self) -> None:
        """Closes the connection of this process without a message."""
        with self.lock:
            if self.socket is not None:
                self.socket.close()
            self.socket = None


def _is_readable(sock: socket.socket, patience: Optional[float]) -> bool:
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(None if patience is None else patience * 1e3))


def _line(message: Mapping[str, Any]) -> bytes:
    import json

    # A text may contain lone surrogates, for example from a file name that is not UTF-8.
    return (json.dumps(message, separators=(",", ":"), ensure_ascii=False) + "\n").encode("utf-8", "replace")


@_all_quiet()
class Config(Dict[str, Any]):
    """Parameters, by key and by attribute; changes are recorded."""

    def __init__(self, owner: Optional["Run"], values: Mapping[str, Any]) -> None:
        super().__init__(values)
        object.__setattr__(self, "_owner", owner)

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key, value)
        self._tell({key: value})

    def __ior__(self, values: Any) -> "Config":  # type: ignore[override,misc]
        self.update(values)
        return self

    def setdefault(self, key: str, default: Any = None) -> Any:
        """Like `dict`, and records the change."""
        if key not in self:
            self[key] = default
        return self[key]

    def __getattr__(self, key: str) -> Any:
        try:
            return self[key]
        except KeyError:
            raise AttributeError(key) from None

    def __setattr__(self, key: str, value: Any) -> None:
        self[key] = value

    def update(self, *args: Any, allow_val_change: bool = True, **kwargs: Any) -> None:  # type: ignore[override]
        """Like `dict`, and records the change."""
        del allow_val_change
        new = [vars(a) if hasattr(a, "__dict__") and not isinstance(a, Mapping) else a for a in args if a is not None]
        try:
            values: Dict[str, Any] = dict(*new, **kwargs)
        except (TypeError, ValueError):
            raise TypeError("parameters are a dictionary, not " + ", ".join(map(_quoted, new))) from None
        dict.update(self, values)
        self._tell(values)

    def _tell(self, values: Mapping[str, Any]) -> None:
        owner = self.__dict__.get("_owner")
        plain = _flat(values) if owner is not None else None
        if plain:
            owner._tell({"do": "params", "params": plain})


class Checkpoint:
    """A folder to save a checkpoint in: `with run.checkpoint(step) as folder`."""

    def __init__(self, owner: Optional["Run"], step: Any) -> None:
        self._owner = owner
        self._step = step
        self._throw_away: Optional[str] = None

    def __enter__(self) -> "Path":
        from pathlib import Path

        folder = None if self._owner is None else self._owner._begin_checkpoint(self._step)
        if folder is None:
            import tempfile

            self._throw_away = folder = tempfile.mkdtemp(prefix="gradtop-")
        return Path(folder)

    def __exit__(
        self, kind: "Optional[Type[BaseException]]", value: Optional[BaseException], trace: "Optional[TracebackType]"
    ) -> None:
        if self._throw_away is not None:
            import shutil

            shutil.rmtree(self._throw_away, ignore_errors=True)
        elif self._owner is not None:
            self._owner._end_checkpoint(_cause(value))


@_all_quiet(steps=iter(()), checkpoint=Checkpoint(None, 0), should_stop=False, should_checkpoint=False)
class Run:
    """A run that this process logs to, created by `init`."""

    def __init__(self, sink: Optional[_Sink], rank: int, world: int, logs: bool, trial: Optional[int]) -> None:
        self._sink = sink
        self._pid = os.getpid()
        self._logs = logs and sink is not None
        self._trial = trial
        self.rank = rank
        self.world = world
        #: The name, experiment, folder and seed of the run.
        self.name = ""
        self.experiment = ""
        self.dir = os.environ.get("GRADTOP_RUN_DIR", "")
        self.seed = _of_env(0, "GRADTOP_SEED")
        #: Whether `gradtop resume` can restart the command.
        self.resumable = False
        self.config = Config(None, {})
        #: Values that summarize the run, written when it is finished.
        self.summary: Dict[str, Any] = {}
        self._shapes: Dict[Tuple[Any, ...], Tuple[int, Any]] = {}
        self._step = -1
        #: Turns a time of the monotonic clock into one since 1970, in nanoseconds.
        self._clock = time.time_ns() - time.monotonic_ns()
        self._saving = False
        self._stop: Optional[int] = None
        self._pause = False
        #: The step after which all processes pause.
        self._pause_after = -1
        self._due = False
        self._asks = False
        self._deferred = False
        self._listens = False
        self._progress_due = 0.0
        self._reached: Optional[Tuple[int, int, Optional[str]]] = None
        self._answer: Optional[Dict[str, Any]] = None
        self._versions: Dict[str, str] = {}
        self._finished = False
        #: Whether this process has begun the run, which then ends with it.
        self._is_own = False

    # ---- logging ----

    @property
    def resume_dir(self) -> "Optional[Path]":
        """The checkpoint to continue from, if there is one."""
        folder = os.environ.get("GRADTOP_RESUME_DIR")
        if not folder:
            return None
        from pathlib import Path

        return Path(folder)

    @property
    def id(self) -> str:
        """The run's name."""
        return self.name

    def log(
        self,
        first: Union[int, Mapping[str, Number], None] = None,
        second: Union[int, Mapping[str, Number], None] = None,
        /,
        *,
        step: Optional[int] = None,
        split: Optional[str] = None,
        model: Optional[str] = None,
        trial: Optional[int] = None,
        epoch: Optional[float] = None,
        commit: Optional[bool] = None,
        **values: Number,
    ) -> None:
        """Logs values of a step: `log(3, loss=0.1)`, `log(3, {"loss": 0.1})` or `log({"loss": 0.1}, step=3)`.

        The default is the step after the last one. A name such as `loss/train` or `train/loss` is the loss on the split `train`;
        `split`, `model` and `trial` apply to all values of the call. Steps may repeat and go back: all values are kept.
        """
        if first is not None:
            if type(first) is int:
                step, given = first, second
            elif isinstance(first, Mapping):
                step, given = step if second is None else second, first  # type: ignore[assignment]
            else:
                step, given = first, second
            if given is not None:
                if type(given) is not dict and not isinstance(given, Mapping):
                    raise TypeError(f"the values of a step are a dictionary, not {_quoted(given)}")
                values = {**given, **values} if values else given  # type: ignore[assignment]
        sink = self._sink
        if sink is None or not self._logs or not values:
            return
        if step is None:
            step = self._step if commit is False else self._step + 1
        elif type(step) is not int:
            step = _whole(step)
        key = (tuple(values), split, model, trial)
        shape, pack = self._shapes.get(key) or self._define(sink, key)
        try:
            time_us = (self._clock + time.monotonic_ns()) // 1000
            row = pack(1, _BODY + 8 * len(values), shape, step, time_us, _NAN if epoch is None else epoch, *values.values())
        except Exception:  # Whatever the `__float__` of a value raises.
            self._log_odd(_whole(step), values, split, model, trial, epoch)
            return
        self._step = step
        sink.send(row, len(values))

    def _define(self, sink: _Sink, key: Tuple[Any, ...]) -> Tuple[int, Any]:
        names, split, model, trial = key
        self._tell_versions()
        if trial is None:
            trial = self._trial
        extra = {k: str(v) for k, v in (("split", split), ("model", model)) if v is not None}
        if trial is not None:
            extra["trial"] = _plain(trial)
        series = [_series(str(name), extra) for name in names]
        # If threads log the same names at once, one defines them before the first row of any.
        with sink.lock:
            known = self._shapes.get(key)
            if known is None:
                shape = len(self._shapes)
                line = _line({"do": "shape", "shape": shape, "series": series})
                sink.send(line, 0)
                sink.known.append(line)
                known = (shape, struct.Struct(f"{_HEAD}{len(names)}d").pack)
                self._shapes[key] = known
        return known

    def _log_odd(self, step: int, values: Mapping[str, Any], split: Any, model: Any, trial: Any, epoch: Any) -> None:
        """Logs the values that are numbers, and reports the others."""
        good: Dict[str, float] = {}
        for name, value in values.items():
            parts = {f"{name}/{k}": v for k, v in _flat(value).items()} if isinstance(value, Mapping) else {name: value}
            for part, number in parts.items():
                try:
                    good[part] = float(number)
                except Exception as error:
                    large = isinstance(error, OverflowError)
                    why = "too large" if large else f"not a number but {type(number).__name__}"
                    _say(f"{_cut(str(part))} is {why}: it is not logged")
        if epoch is not None:
            try:
                epoch = float(epoch)
            except Exception:
                _say(f"epoch {_quoted(epoch)} is not a number: it is left out")
                epoch = None
        self._step = step
        if good:
            self.log(step, good, split=split, model=model, trial=trial, epoch=epoch)

    def table(self, name: str, columns: Mapping[str, Sequence[Any]], step: int = 0) -> None:
        """Adds rows to a table, for data that is not a time series. Columns have equal length and are the same in each call."""
        if not self._logs:
            return
        if not isinstance(columns, Mapping):
            raise TypeError(f"the columns of {_quoted(name)} are a dictionary, not {_quoted(columns)}")
        step = _whole(step)
        data = {str(k): _plain(v) for k, v in columns.items()}
        rows = max((len(v) for v in data.values()), default=0)
        for at in range(0, rows, _TABLE_ROWS):
            part = [{"name": k, "values": v[at : at + _TABLE_ROWS]} for k, v in data.items()]
            self._tell({"do": "table", "name": name, "step": step, "columns": part})

    def figures(self, toml: str) -> None:
        """Declares figures in TOML, as described in docs/plugin-guide.md."""
        self._tell({"do": "figures", "toml": toml})

    def text(self, text: Any, level: str = "info") -> None:
        """Writes a line to the run's log."""
        self._tell({"do": "text", "level": level, "text": str(text)})

    def params(self, params: Any = None, /, **more: Any) -> None:
        """Adds parameters from a dictionary or an argparse namespace; nested ones get dotted names."""
        self.config.update({**_flat(params), **_flat(more)})

    def metric(
        self, name: str, goal: str = "none", *, headline: bool = True, split: Optional[str] = None, unit: Optional[str] = None,
        help: str = "", log: bool = False, guard: bool = False,
    ) -> None:
        """Declares a metric: whether lower (`min`) or higher (`max`) is better, and the split of its headline value."""
        message: Dict[str, Any] = {"do": "metric", "name": name, "goal": goal, "headline": headline, "help": help}
        message.update({"log": log, "guard": guard})
        if split is not None:
            message["headline_of"] = split
        if unit is not None:
            message["unit"] = unit
        self._tell(message)

    define_metric = metric

    # ---- the loop ----

    def steps(self, total: int, start: int = 0) -> Iterator[int]:
        """Iterates over the steps from `start` on; between two steps the run pauses and stops on request."""
        total = _whole(total, "the number of steps")
        return self._steps(range(_whole(start), total), total)

    def _steps(self, steps: range, total: int) -> Iterator[int]:
        self._listen()
        for step in steps:
            if self._ends_at(step):
                return
            yield step
            self._progress(step + 1, total)
        self._progress(total, total, now=True)

    def should_stop(self) -> bool:
        """Whether the loop should end, for loops without `steps`. Waits while the run is paused."""
        self._listen()
        return self._ends_at(self._step)

    def should_checkpoint(self) -> bool:
        """Whether a checkpoint is due; true again only after the next `checkpoint` or a new request."""
        self._asks = True
        if not self._due:
            return False
        self._due = False
        return True

    def checkpoint(self, step: int) -> Checkpoint:
        """A folder to save in, kept if the `with` block succeeds."""
        return Checkpoint(self, step)

    def progress(self, done: int, total: int = 0, phase: Optional[str] = None) -> None:
        """Reports the progress."""
        self._progress(done, total, phase, now=True)

    def finish(self, exit_code: int = 0, quiet: Optional[bool] = None, *, error: Optional[str] = None) -> None:
        """Ends the run. Later calls do nothing."""
        del quiet
        if self._finished:
            return
        try:
            if self.summary and self._logs:
                plain = _flat(self.summary)
                self.table("summary", {"name": list(plain), "value": [str(v) for v in plain.values()]})
            if error is None and exit_code:
                error = f"finished with exit code {exit_code}"
            self._tell_progress()
            if self.rank == 0:
                self._tell({"do": "finish", "error": error})
        finally:
            self._finished = True
            self._logs = False
            if self._sink is not None:
                self._sink.drain()
                self._sink.forget()
                self._sink = None
                if self._is_own:
                    _await_end(self.dir)

    def __enter__(self) -> "Run":
        return self

    def __exit__(
        self, kind: "Optional[Type[BaseException]]", value: Optional[BaseException], trace: "Optional[TracebackType]"
    ) -> None:
        self.finish(error=_cause(value))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        _say(f"a run has no {name!r} here: it is ignored")
        return _nothing

    # ---- the connection ----

    def _tell(self, message: Mapping[str, Any]) -> None:
        if self._sink is None:
            return
        try:
            self._sink.send(_line(message), 0)
        except Exception as error:
            _failed(str(message.get("do")), error)

    def _tell_versions(self) -> None:
        """Sends the versions of Python and, once it has been imported, of PyTorch."""
        if self.rank == 0:
            versions = {"python": sys.version.split()[0]}
            try:
                torch = getattr(sys.modules.get("torch"), "__version__", None)
            except Exception:
                torch = None
            if isinstance(torch, str):
                versions["torch"] = str(torch)
            if versions != self._versions:
                self._versions = versions
                self._tell({"do": "versions", **versions})

    def _listen(self) -> None:
        if not self._listens and self._sink is not None:
            self._listens = True
            self._declare({"do": "listen"})

    def _declare(self, message: Mapping[str, Any]) -> bytes:
        """Sends a message that each new sink needs, too. Returns the line."""
        line = _line(message)
        assert self._sink is not None
        with self._sink.lock:
            self._sink.send(line, 0)
            self._sink.known.append(line)
        return line

    def _progress(self, done: int, total: int, phase: Optional[str] = None, now: bool = False) -> None:
        self._reached = (done, total, phase)
        if now or time.monotonic() >= self._progress_due:
            self._tell_progress()

    def _tell_progress(self) -> None:
        """Sends the latest progress, before a pause and at the end."""
        if self._reached is None:
            return
        (done, total, phase), self._reached = self._reached, None
        self._progress_due = time.monotonic() + 0.1
        self._tell({"do": "progress", "done": max(0, int(done)), "total": max(0, int(total)), "phase": phase})

    def _obey(self, patience: Optional[float] = 0.0) -> bool:
        """Handles messages of the sink; False if it is gone."""
        if self._sink is None:
            return False
        heard = self._sink.heard(patience)
        for order in heard or ():
            what = order.get("do")
            if what == "stop":
                self._stop = int(order.get("after", -1))
                self._due = self._due or self._stop < 0
            elif what == "pause":
                self._pause = True
                self._pause_after = int(order.get("after", -1))
            elif what == "resume":
                self._pause = False
            elif what == "checkpoint":
                self._due = True
            elif what in ("save", "saved"):
                self._answer = order
            elif "hello" in order:
                self._answer = order
            elif "error" in order:
                _say(str(order["error"]))
                if self._saving:
                    self._answer = order
        return heard is not None

    def _ends_at(self, step: int) -> bool:
        """Called between two steps: waits while the run is paused. Returns whether it stops before this step."""
        try:
            self._obey()
            if self._pause or self._stop is not None:
                self._tell_progress()
            if self._pause and self._stop is None and not 0 <= step <= self._pause_after:
                paused = self._declare({"do": "paused"})
                while self._pause and self._stop is None:
                    if not self._obey(1.0):
                        time.sleep(0.2)
                self._sink.known.remove(paused)
                self._tell({"do": "unpaused"})
        except Exception as error:
            _failed("steps", error)
        if self._stop is None:
            return False
        if self._stop >= 0:
            # All processes end at the same step and save there.
            self._due = self._due or step == self._stop
            return step > self._stop
        if self._asks and self._due and not self._deferred:
            # One more step, in which the loop can save before it stops.
            self._deferred = True
            return False
        return True

    def _ask(self, want: str, patience: float) -> Optional[Dict[str, Any]]:
        """Sends a request and waits for the answer."""
        end = time.monotonic() + patience
        while time.monotonic() < end:
            answer, self._answer = self._answer, None
            if answer is not None and (answer.get("do") == want or want in answer or "error" in answer):
                return answer
            if not self._obey(0.5):
                return None
        return None

    def _begin_checkpoint(self, step: int) -> Optional[str]:
        self._due = False
        if self._sink is None or self.rank != 0:
            return None
        try:
            self._answer = None
            self._saving = True
            self._tell({"do": "checkpoint", "step": _whole(step)})
            answer = self._ask("save", 60.0)
            if answer is not None and "dir" in answer:
                return str(answer["dir"])
            _say("no checkpoint is kept: nobody gives a folder for it")
        except Exception as error:
            _failed("checkpoint", error)
        self._saving = False
        return None

    def _end_checkpoint(self, error: Optional[str]) -> None:
        try:
            self._answer = None
            self._tell({"do": "saved", "error": error})
            answer = self._ask("saved", 600.0)
            why = None if answer is None else answer.get("error")
            if answer is None or why and why != error:
                _say(f"the checkpoint was not kept: {why or 'the recording process is gone'}")
        except Exception as failure:
            _failed("checkpoint", failure)
        self._saving = False


_SPLITS = frozenset(("train", "training", "val", "valid", "validation", "dev", "eval", "test"))


def _series(name: str, extra: Mapping[str, Any]) -> Any:
    """Parses the name of a series: `loss/train` and `train/loss` are the loss on the training data."""
    if not extra:
        return name
    if "split" in extra:
        return {"metric": name, **extra}
    metric, _, split = name.rpartition("/")
    if metric and split in _SPLITS:
        return {"metric": metric, "split": split, **extra}
    split, _, metric = name.partition("/")
    if metric and split in _SPLITS:
        return {"metric": metric, "split": split, **extra}
    return {"metric": name, **extra}


#: The run of this process; if there were several, the last one.
run: Optional[Run] = None
_runs: List[Run] = []


def init(
    project: Optional[str] = None,
    name: Optional[str] = None,
    config: Any = None,
    *,
    experiment: Optional[str] = None,
    params: Any = None,
    metrics: Optional[Mapping[str, str]] = None,
    seed: Optional[int] = None,
    total: Optional[int] = None,
    rank: Union[int, str] = 0,
    mode: str = "online",
    on_full: str = "wait",
    runs: Optional[str] = None,
    **more: Any,
) -> Run:
    """Begins to log: under `gradtop exec` to the run of this program, otherwise to a new one.

    `metrics` declares metrics with their goals, as in `{"loss": "min"}`; `params` (or `config`) are recorded. `rank` selects
    which of several processes logs: the one of rank 0, another, or `"all"`, each as a trial. `mode="disabled"` turns all calls
    into no-ops. With `on_full="drop"`, points are dropped and counted instead of waiting for a slow disk.
    """
    global run
    for key in more:
        _say(f"init has no {key!r} here: it is ignored")
    # Lightning's launcher sets no RANK for processes after the first.
    own = _of_env(0, "RANK", "SLURM_PROCID") or _of_env(0, "LOCAL_RANK") or _of_env(0, "NODE_RANK")
    world = _of_env(1, "WORLD_SIZE", "SLURM_NTASKS")
    logs = rank == "all" or own == rank
    address = os.environ.get("GRADTOP_SINK")
    sink: Optional[_Sink] = None
    is_own = False
    if mode != "disabled":
        if address is not None and not os.path.exists(address):
            # The address of a run that has ended or is on another machine.
            address = None
        if address is None and own == 0:
            address = _attach(experiment or project, name, runs, seed, total)
            is_own = True
        elif address is None:
            _say(f"rank {own} has no gradtop on this machine: only the machine of rank 0 records")
        if address is not None:
            sink = _Sink(address, own, world)
            sink.drop_when_full = on_full == "drop"
            try:
                sink.connect()
            except OSError as error:
                raise RuntimeError(f"gradtop does not answer at {address}: {error}") from None
    new = Run(sink, own, world, logs, own if rank == "all" and world > 1 else None)
    new._is_own = is_own
    if sink is not None:
        answer = new._ask("hello", 10.0) or {}
        new.name = str(answer.get("run", ""))
        new.experiment = str(answer.get("experiment", ""))
        new.dir = str(answer.get("dir", new.dir))
        new.seed = int(answer.get("seed", seed or 0))
        new.resumable = bool(answer.get("resumable"))
        new.config = Config(None, answer.get("params") or {})
    elif seed is not None:
        new.seed = seed
    given = {**_flat(config), **_flat(params)}
    dict.update(new.config, given)
    object.__setattr__(new.config, "_owner", new)
    if own == 0 and sink is not None:
        new._tell_versions()
        if given:
            new._tell({"do": "params", "params": given})
        for metric, goal in (metrics or {}).items():
            goal, _, split = str(goal).partition(":")
            new.metric(metric, goal, split=split or None)
        if total is not None:
            new.progress(0, total)
    run = new
    _runs[:] = [old for old in _runs if not old._finished] + [new]
    _hook()
    return new


def _of_env(default: int, *names: str) -> int:
    """The number in the first of these variables that is set."""
    for name in names:
        text = os.environ.get(name)
        if text:
            try:
                return int(text)
            except ValueError:
                raise RuntimeError(f"the environment variable {name} is {_quoted(text)}, not a whole number") from None
    return default


def _attach(
    experiment: Optional[str], name: Optional[str], runs: Optional[str], seed: Optional[int], total: Optional[int]
) -> str:
    """Starts a sink for this process. Returns its address."""
    import json
    import shutil
    import subprocess

    # In an environment that is not activated, it is next to Python.
    beside = os.path.dirname(sys.executable or "")
    program = os.environ.get("GRADTOP_PROGRAM") or shutil.which("gradtop") or shutil.which("gradtop", path=beside)
    if program is None:
        raise RuntimeError("the program `gradtop` is not in PATH; install it, or name it by GRADTOP_PROGRAM")
    script = sys.argv[0] if sys.argv else ""
    # `python -c` and interactive sessions have none.
    script = "" if script in ("-c", "-") else os.path.splitext(os.path.basename(script))[0]
    options = {"experiment": experiment or script or "python", "name": name, "runs": runs, "seed": seed, "total": total}
    command = [program, "sink", "--attach", str(os.getpid())]
    command += [f"--{option}={value}" for option, value in options.items() if value is not None]
    command += ["--", sys.executable or "python", *sys.argv]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    except OSError as error:
        raise RuntimeError(f"cannot start {program}: {error.strerror}; GRADTOP_PROGRAM names the program `gradtop`") from None
    if done.returncode != 0:
        raise RuntimeError(done.stderr.decode(errors="replace").strip() or f"`{program} sink` failed")
    try:
        return str(json.loads(done.stdout)["sink"])
    except (ValueError, LookupError, TypeError):
        raise RuntimeError(f"{program} is not gradtop; GRADTOP_PROGRAM names the program `gradtop`") from None


def _await_end(folder: str) -> None:
    """Waits until a run has ended, so that whoever looks next sees all of it."""
    import json

    end = time.monotonic() + 5.0
    while time.monotonic() < end:
        try:
            with open(os.path.join(folder, "status.json"), encoding="utf-8") as file:
                if json.load(file)["state"] in ("finished", "stopped", "failed", "crashed"):
                    return
        except (OSError, ValueError, LookupError, TypeError):
            return
        time.sleep(0.01)


_hooked = False


def _hook() -> None:
    """Registers handlers for forks and the end of the process, once."""
    global _hooked
    if _hooked:
        return
    _hooked = True
    import atexit

    atexit.register(_at_exit)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_in_child)


def _in_child() -> None:
    """A forked child must not use its parent's run."""
    for own in _runs:
        if own._sink is not None:
            own._sink.lock = _thread.RLock()
            own._sink.forget()
            own._sink = None
            own._logs = False


def _at_exit() -> None:
    # An exception ends a script, but not an interactive session.
    error = None if hasattr(sys, "ps1") else _cause(getattr(sys, "last_value", None))
    for own in _runs:
        if not own._finished and own._pid == os.getpid():
            own.finish(error=error)


def log(*args: Any, **kwargs: Any) -> None:
    """`Run.log` of the run of this process."""
    if run is None:
        _say("log: call gradtop.init() first")
    else:
        run.log(*args, **kwargs)


def finish(*args: Any, **kwargs: Any) -> None:
    """`Run.finish` of the run of this process."""
    if run is not None:
        run.finish(*args, **kwargs)


def __getattr__(name: str) -> Any:
    if name in _ON_LIBRARIES:
        made = _ON_LIBRARIES[name]()
        # As if it were defined in this file, also for pickle.
        made.__module__, made.__qualname__ = __name__, name
        globals()[name] = made
        return made
    if name == "config":
        return run.config if run is not None else Config(None, {})
    if name == "summary":
        return run.summary if run is not None else {}
    if name.startswith("_"):
        raise AttributeError(f"module 'gradtop' has no attribute {name!r}")
    if hasattr(Run, name):
        if run is not None:
            return getattr(run, name)
        _say(f"{name}: call gradtop.init() first")
    else:
        _say(f"gradtop has no {name!r} here: it is ignored")
    return _nothing


@_all_quiet()
class SummaryWriter:
    """A replacement for TensorBoard's class that logs to the run of this process, which it creates if necessary."""

    def __init__(self, log_dir: Optional[str] = None, comment: str = "", **ignored: Any) -> None:
        del ignored
        self.log_dir = log_dir
        self._run = run if run is not None and not run._finished else init(params={"comment": comment} if comment else None)
        self._last: Dict[str, int] = {}

    def _step(self, tag: str, step: Optional[int]) -> int:
        at = self._last.get(tag, -1) + 1 if step is None else _whole(step)
        self._last[tag] = at
        return at

    def add_scalar(
        self, tag: str, scalar_value: Number, global_step: Optional[int] = None, walltime: Optional[float] = None, **ignored: Any
    ) -> None:
        """Logs a value."""
        self._run.log(self._step(tag, global_step), {tag: scalar_value})

    def add_scalars(
        self, main_tag: str, tag_scalar_dict: Mapping[str, Number], global_step: Optional[int] = None,
        walltime: Optional[float] = None,
    ) -> None:
        """Logs values of one metric: of several splits if their names are splits, otherwise of several models."""
        if not isinstance(tag_scalar_dict, Mapping):
            raise TypeError(f"the values of {_quoted(main_tag)} are a dictionary, not {_quoted(tag_scalar_dict)}")
        step = self._step(main_tag, global_step)
        for tag, value in tag_scalar_dict.items():
            of: Dict[str, Any] = {"split" if tag in _SPLITS else "model": tag}
            self._run.log(step, {main_tag: value}, **of)

    def add_histogram(
        self, tag: str, values: Any, global_step: Optional[int] = None, bins: Any = 30, walltime: Optional[float] = None,
        **ignored: Any,
    ) -> None:
        """Logs a histogram with buckets of equal width to the table `histograms`."""
        data = [v for v in _numbers(values) if v - v == 0.0]
        if not data:
            return
        n = bins if isinstance(bins, int) and bins > 0 else 30
        low, high = min(data), max(data)
        width = (high - low) / n or 1.0
        counts = [0] * n
        for v in data:
            counts[min(n - 1, int((v - low) / width))] += 1
        edges = [low + width * i for i in range(n + 1)]
        columns = {"tag": [tag] * n, "lower": edges[:-1], "upper": edges[1:], "count": counts}
        self._run.table("histograms", columns, self._step(tag, global_step))

    def add_hparams(
        self, hparam_dict: Mapping[str, Any], metric_dict: Mapping[str, Number], hparam_domain_discrete: Any = None,
        run_name: Optional[str] = None, global_step: Optional[int] = None,
    ) -> None:
        """Logs parameters and the resulting values."""
        self._run.params(hparam_dict)
        if metric_dict:
            self._run.log(self._step("hparams", global_step), dict(metric_dict))

    def add_text(self, tag: str, text_string: str, global_step: Optional[int] = None, walltime: Optional[float] = None) -> None:
        """Writes a line to the run's log."""
        self._run.text(f"{tag}: {text_string}")

    def flush(self) -> None:
        """Does nothing: each call sends its values at once."""

    def close(self) -> None:
        """Does nothing: the run continues until the process ends or `finish` is called."""

    def __enter__(self) -> "SummaryWriter":
        return self

    def __exit__(self, *args: Any) -> None:
        self.close()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        _say(f"SummaryWriter.{name} is ignored here")
        return _nothing


# ---- integrations with training libraries ----

_WORDS = {"training": "train", "validation": "val", "valid": "val", "evaluation": "eval", "testing": "test"}


def _split_of(name: str) -> Tuple[str, Optional[str]]:
    """Splits a library's name into metric and split, as docs/import.md says: `val_loss` is the loss on the split `val`."""
    before, _, last = name.rpartition("/")
    before = before + "/" if before else ""
    for prefix, text, divides in (("", name, "/"), (before, last, "_-. ")):
        at = [i for i, c in enumerate(text) if c in divides]
        for word, rest in ((text[: at[0]], text[at[0] + 1 :]), (text[at[-1] + 1 :], text[: at[-1]])) if at else ():
            word = word.lower()
            word = _WORDS.get(word, word)
            if word in _SPLITS and rest:
                return prefix + rest, word
    return name, None


def _log_named(run: Run, step: int, values: Mapping[str, Any], plain: Optional[str] = None) -> None:
    """Logs values under a library's names; `plain` is the split of a `loss` without one."""
    values = dict(values)
    epoch = values.pop("epoch", None)
    by_split: Dict[Optional[str], Dict[str, Any]] = {}
    for name, value in values.items():
        metric, split = _split_of(name)
        if metric == name == "loss":
            split = plain
        by_split.setdefault(split, {})[metric] = value
    for split, of in by_split.items():
        run.log(step, of, split=split, epoch=epoch)


def _run_of(given: Mapping[str, Any]) -> Run:
    """The run of this process, created if there is none."""
    return run if run is not None and not run._finished else init(**{"metrics": {"loss": "min"}, **given})


def _between(run: Run, step: int, total: int) -> bool:
    """Called between two steps of a library's loop: reports progress and pauses on request. Returns whether it should end."""
    run._progress(step, total, now=step >= total)
    return run._ends_at(step)


def _takes_checkpoint(run: Run) -> bool:
    """Whether a checkpoint is due that can be resumed from. With several processes, none knows when the others save."""
    due, run._due = run._due, False
    return due and run.resumable and run.world == 1


def _quieten(callback: type) -> None:
    """Makes the methods that a library calls never raise."""
    for name, member in list(vars(callback).items()):
        if name.startswith("on_"):
            setattr(callback, name, _quiet(member))


def _lightning() -> Any:
    """The Lightning module, by the name under which the script has imported it."""
    try:
        if "pytorch_lightning" in sys.modules and "lightning" not in sys.modules:
            import pytorch_lightning as lightning
        else:
            import lightning.pytorch as lightning
    except ImportError:
        try:
            import pytorch_lightning as lightning
        except ImportError as error:
            raise ImportError(f"Lightning cannot be imported ({error}): pip install lightning") from None
    return lightning


def _lightning_logger() -> type:
    lightning = _lightning()
    from importlib import import_module

    logger = import_module(lightning.__name__ + ".loggers.logger")
    on_zero = lightning.utilities.rank_zero_only

    class LightningLogger(logger.Logger):  # type: ignore[name-defined,misc]
        """A Lightning logger for the run of this process, which it creates with `options` if necessary."""

        def __init__(self, **options: Any) -> None:
            super().__init__()
            self._options = options

        @property
        @logger.rank_zero_experiment  # type: ignore[untyped-decorator]
        def experiment(self) -> Run:
            """The run."""
            return _run_of(self._options)

        @property
        def name(self) -> str:
            """The experiment, which names a folder of Lightning's checkpoints."""
            return str(self.experiment.experiment or "gradtop")

        @property
        def version(self) -> str:
            """The run's name, which names a folder in it."""
            return str(self.experiment.name or "run")

        @on_zero  # type: ignore[untyped-decorator]
        def log_hyperparams(self, params: Any, *ignored: Any, **more: Any) -> None:
            """Logs parameters."""
            self.experiment.params(params)

        @on_zero  # type: ignore[untyped-decorator]
        def log_metrics(self, metrics: Mapping[str, Any], step: Optional[int] = None) -> None:
            """Logs the values of a step."""
            of = self.experiment
            _quiet(_log_named)(of, of._step + 1 if step is None else step, metrics)

        @on_zero  # type: ignore[untyped-decorator]
        def finalize(self, status: str) -> None:
            """Does nothing: the run continues until the process ends, since a test may follow."""

    return LightningLogger


def _lightning_callback() -> type:
    class LightningCallback(_lightning().Callback):  # type: ignore[misc]
        """Pauses, stops, checkpoints and reports the progress of Lightning's loop. A run is resumed with
        `trainer.fit(model, ckpt_path=gradtop.LightningCallback.checkpoint())`."""

        def __init__(self, **options: Any) -> None:
            self._options = options
            self._saved: Optional[Tuple[int, str]] = None

        @staticmethod
        def checkpoint() -> Optional[str]:
            """The file to continue from, if this run was resumed."""
            folder = os.environ.get("GRADTOP_RESUME_DIR")
            return os.path.join(folder, "lightning.ckpt") if folder else None

        def on_train_start(self, trainer: Any, module: Any) -> None:
            """Begins to handle requests."""
            _run_of(self._options)._listen()

        def on_train_batch_end(self, trainer: Any, module: Any, *ignored: Any) -> None:
            """Reports progress, and pauses and stops on request."""
            of, step = _run_of(self._options), trainer.global_step
            total = trainer.estimated_stepping_batches
            if _between(of, step, int(total) if 0 < total < _STEPS else 0):
                trainer.should_stop = True
            if _takes_checkpoint(of):
                import tempfile

                self._saved = (step - 1, os.path.join(tempfile.mkdtemp(prefix="gradtop-"), "lightning.ckpt"))
                trainer.save_checkpoint(self._saved[1])

        def _keep(self, *ignored: Any) -> None:
            """Keeps the saved checkpoint, now that the values of its step are logged."""
            if self._saved is None:
                return
            import shutil

            (step, file), self._saved = self._saved, None
            with _run_of(self._options).checkpoint(step) as folder:
                shutil.move(file, folder / "lightning.ckpt")
            os.rmdir(os.path.dirname(file))

        on_train_batch_start = on_validation_start = on_train_epoch_end = on_train_end = _keep

    _quieten(LightningCallback)
    return LightningCallback


def _hf_callback() -> type:
    try:
        from transformers import TrainerCallback
    except ImportError as error:
        raise ImportError(f"transformers cannot be imported ({error}): pip install transformers") from None

    class HFCallback(TrainerCallback):  # type: ignore[misc]
        """For the `Trainer` of Hugging Face: logs to the run of this process, pauses and stops on request, and keeps the
        trainer's checkpoints for `gradtop resume`: `trainer.train(resume_from_checkpoint=gradtop.HFCallback.checkpoint())`."""

        def __init__(self, **options: Any) -> None:
            self._options = options

        @staticmethod
        def checkpoint() -> Optional[str]:
            """The folder to continue from, if this run was resumed."""
            return os.environ.get("GRADTOP_RESUME_DIR") or None

        def on_train_begin(self, args: Any, state: Any, control: Any, **more: Any) -> None:
            """Tells the number of steps, and records the settings that differ from the defaults."""
            of = _run_of(self._options)
            of._listen()
            of._progress(state.global_step, state.max_steps, now=True)
            if state.is_world_process_zero:
                of.params(_hf_settings(args))

        def on_log(self, args: Any, state: Any, control: Any, logs: Optional[Mapping[str, Any]] = None, **more: Any) -> None:
            """Logs the values of a step; those about the whole training go to the summary."""
            if not logs or not state.is_world_process_zero:
                return
            of = _run_of(self._options)
            if "train_runtime" in logs:
                of.summary.update(logs)
            else:
                _log_named(of, state.global_step, logs, "train")

        def on_step_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
            """Reports progress, and pauses and stops on request."""
            of = _run_of(self._options)
            if _between(of, state.global_step, state.max_steps):
                control.should_training_stop = True
                control.should_save = control.should_save or of.resumable
            elif _takes_checkpoint(of):
                control.should_save = True

        def on_save(self, args: Any, state: Any, control: Any, **more: Any) -> None:
            """Keeps the trainer's newest checkpoint."""
            of = _run_of(self._options)
            if not of.resumable or not state.is_world_process_zero:
                return
            import shutil

            saved = os.path.join(args.output_dir, f"checkpoint-{state.global_step}")
            with of.checkpoint(state.global_step) as folder:
                shutil.copytree(saved, folder, copy_function=_link, dirs_exist_ok=True)

    _quieten(HFCallback)
    return HFCallback


def _hf_settings(args: Any) -> Dict[str, Any]:
    """The settings of a trainer that differ from the defaults, and the most important others."""
    import dataclasses

    always = ("learning_rate", "per_device_train_batch_size", "num_train_epochs", "seed")
    settings = {}
    for field in dataclasses.fields(args):
        value = getattr(args, field.name, None)
        value = getattr(value, "value", value)
        # Settings that were not given often follow from others.
        own = (field.default, False if field.default is None else field.default)
        if field.name in always or isinstance(value, (bool, int, float, str)) and value not in own and "token" not in field.name:
            settings[field.name] = value
    return settings


def _link(source: str, target: str) -> None:
    """Links a file, or copies it if links are not supported."""
    try:
        os.link(source, target)
    except OSError:
        import shutil

        shutil.copy2(source, target)


_ON_LIBRARIES: Dict[str, Callable[[], type]] = {
    "LightningLogger": _lightning_logger,
    "LightningCallback": _lightning_callback,
    "HFCallback": _hf_callback,
}


def _numbers(values: Any) -> Iterable[float]:
    """All numbers in nested lists, or in an object that can be converted to them."""
    if hasattr(values, "detach"):
        values = values.detach().cpu()
    if hasattr(values, "tolist"):
        values = values.tolist()
    if isinstance(values, (int, float)):
        yield float(values)
        return
    for value in values:
        if isinstance(value, (int, float)):
            yield float(value)
        else:
            yield from _numbers(value)

"""An instance: requests with growing memory, one budget. Checked once, on construction."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from kvratio.problem.columns import Columns
from kvratio.problem.errors import BadInstance
from kvratio.problem.fields import INT64_MAX, as_int64, as_memory

IntArray = npt.NDArray[np.int64]

#: the fields that define the problem, in the order in which they are hashed
PROBLEM_FIELDS = ("prompt", "output", "arrival", "predicted", "predicted_low", "predicted_high")


@dataclass(frozen=True, eq=False)
class Instance(Columns):
    """Requests that hold ``prompt + j`` tokens of memory while token j is produced, and a budget M.

    Parameters
    ----------
    prompt : array of int, shape (n,)
        Prompt tokens s >= 0.
    output : array of int, shape (n,)
        Output tokens o >= 1, with s + o <= memory.
    memory : int
        The budget M >= 1, in tokens.
    arrival : array of int, shape (n,), optional
        Earliest epoch (round boundary) at which a request may start. Default: all 0, a batch.
    predicted : array of int, shape (n,), optional
        A point prediction of the output, of any quality. Default: the true output.
    predicted_low, predicted_high : array of int, shape (n,), optional
        An interval prediction. Defaults: 1 and M - s.
    name : str
        For people; not part of the key.
    arrival_seconds : array of float, shape (n,), optional
        Wall-clock arrivals of a trace, kept for the serving model.
    witness : array of int, shape (n,), optional
        Start times of a feasible schedule that the maker of the instance knows.
    info : mapping, optional
        Provenance: family, seed, parameters, the ratio that the construction forces.

    Raises
    ------
    BadInstance
        One line that names the field, the first offending request and its value.

    Notes
    -----
    The model is that of Jaillet et al., "Online Scheduling for LLM Inference with KV Cache Constraints"
    (arXiv 2502.07115). All arrays are read-only int64.
    """

    prompt: IntArray
    output: IntArray
    memory: int
    arrival: IntArray = None  # type: ignore[assignment]
    predicted: IntArray = None  # type: ignore[assignment]
    predicted_low: IntArray = None  # type: ignore[assignment]
    predicted_high: IntArray = None  # type: ignore[assignment]
    name: str = ""
    arrival_seconds: npt.NDArray[np.float64] | None = None
    witness: IntArray | None = None
    info: Mapping[str, Any] = field(default_factory=dict)
    has_predictions: bool = field(init=False, default=False)
    has_intervals: bool = field(init=False, default=False)

    if TYPE_CHECKING:  # callers may give any array-like; the fields are int64 arrays

        def __init__(
            self,
            prompt: npt.ArrayLike,
            output: npt.ArrayLike,
            memory: int,
            arrival: npt.ArrayLike | None = None,
            predicted: npt.ArrayLike | None = None,
            predicted_low: npt.ArrayLike | None = None,
            predicted_high: npt.ArrayLike | None = None,
            name: str = "",
            arrival_seconds: npt.ArrayLike | None = None,
            witness: npt.ArrayLike | None = None,
            info: Mapping[str, Any] | None = None,
        ) -> None: ...

    def __post_init__(self) -> None:
        put = lambda name, value: object.__setattr__(self, name, value)  # noqa: E731
        put("has_predictions", self.predicted is not None)
        put("has_intervals", self.predicted_low is not None or self.predicted_high is not None)
        put("memory", as_memory(self.memory))
        put("prompt", as_int64("prompt", self.prompt, low=0))
        n = len(self.prompt)
        if n == 0:
            raise BadInstance("prompt is empty: an instance needs at least one request")
        put("output", as_int64("output", self.output, n=n, low=1))
        # Compared as M - o >= s, which cannot overflow.
        over = np.flatnonzero(
            (self.output > self.memory) | (self.prompt > self.memory - np.minimum(self.output, self.memory))
        )
        if over.size:
            i = int(over[0])
            total = int(self.prompt[i]) + int(self.output[i])
            raise BadInstance(
                f"output: request {i} has prompt {self.prompt[i]} + output {self.output[i]} = {total} "
                f"> memory {self.memory}: raise memory or drop the request ({over.size} such requests)"
            )
        room = self.memory - self.prompt
        defaults = {"arrival": np.zeros(n, np.int64), "predicted": self.output, "predicted_low": np.ones(n, np.int64)}
        defaults["predicted_high"] = room
        for name, default in defaults.items():
            value = getattr(self, name)
            low = 0 if name == "arrival" else None
            put(name, as_int64(name, default if value is None else value, n=n, low=low))
        if self.witness is not None:
            put("witness", as_int64("witness", self.witness, n=n, low=0))
        if self.arrival_seconds is not None:
            seconds = np.array(self.arrival_seconds, dtype=np.float64)
            if seconds.shape != (n,) or not np.isfinite(seconds).all():
                raise BadInstance(f"arrival_seconds has shape {seconds.shape}: give {n} finite numbers")
            seconds.flags.writeable = False
            put("arrival_seconds", seconds)
        put("info", MappingProxyType(dict(self.info)))
        self._check_sums()

    def _check_sums(self) -> None:
        """Refuse instances whose totals leave int64: serial completions, volumes and memory of all at once."""
        s, o = self.prompt.astype(np.float64), self.output.astype(np.float64)
        horizon = float(self.arrival.max()) + o.sum()
        for what, size in (
            ("total volume", float((s * o + o * (o + 1) / 2).sum())),
            ("serial total completion", horizon * self.n),
            ("memory x horizon", float(self.memory) * horizon),
        ):
            if size > INT64_MAX / 4:
                worst = int(np.argmax(self.arrival if float(self.arrival.max()) > o.max() else s * o + o))
                raise BadInstance(
                    f"{what} is about {size:.3g}, beyond int64; use coarser units. Request {worst} is the largest: "
                    f"arrival {self.arrival[worst]}, prompt {self.prompt[worst]}, output {self.output[worst]}"
                )

    # -- derived quantities ---------------------------------------------------------------------------------------
    @cached_property
    def peak(self) -> IntArray:
        """Memory s + o in a request's last round, int64[n]."""
        return _frozen(self.prompt + self.output)

    @cached_property
    def volume(self) -> IntArray:
        """Token-rounds s o + o (o + 1) / 2 of each request, int64[n]."""
        return _frozen(self.prompt * self.output + self.output * (self.output + 1) // 2)

    @property
    def alpha(self) -> float:
        """Largest peak over memory."""
        return int(self.peak.max()) / self.memory

    @property
    def is_batch(self) -> bool:
        """Whether every request is there at epoch 0."""
        return not self.arrival.any()

    @property
    def equal_prompts(self) -> bool:
        """Whether all prompts have one length."""
        return bool((self.prompt == self.prompt[0]).all())

    def clamp(self, lengths: npt.ArrayLike) -> IntArray:
        """Bring predictions into [1, M - s]: a larger claim could never be admitted."""
        return np.clip(np.asarray(lengths, dtype=np.int64), 1, self.memory - self.prompt)

    @cached_property
    def key(self) -> str:
        """sha256 over the canonical bytes of memory and the six integer arrays."""
        digest = hashlib.sha256(b"kvratio-instance-1")
        digest.update(int(self.memory).to_bytes(8, "little") + self.n.to_bytes(8, "little"))
        for name in PROBLEM_FIELDS:
            digest.update(getattr(self, name).astype("<i8").tobytes())
        return digest.hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Instance) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def __repr__(self) -> str:
        kind = "batch" if self.is_batch else "online"
        return f"Instance({self.name or 'unnamed'}: n={self.n}, memory={self.memory}, {kind}, alpha={self.alpha:.3f})"

    # -- copies ---------------------------------------------------------------------------------------------------
    def replace(self, **changes: Any) -> Instance:
        """Return a copy with some fields changed; predictions that were left out stay left out."""
        kept = {f.name: getattr(self, f.name) for f in fields(self) if f.init}
        if not self.has_predictions:
            kept["predicted"] = None
        if not self.has_intervals:
            kept["predicted_low"] = kept["predicted_high"] = None
        return Instance(**{**kept, **changes})

    def subset(self, index: npt.ArrayLike) -> Instance:
        """Return the instance of some requests, in the order of ``index``."""
        at = np.asarray(index, dtype=np.int64)
        names = [*PROBLEM_FIELDS, "arrival_seconds", "witness"]
        if not self.has_predictions:
            names.remove("predicted")
        if not self.has_intervals:
            names = [name for name in names if name not in ("predicted_low", "predicted_high")]
        return self.replace(**{k: getattr(self, k)[at] for k in names if getattr(self, k) is not None})

    # -- files ----------------------------------------------------------------------------------------------------
    def to_dict(self) -> dict[str, Any]:
        """Return JSON-able data from which `from_dict` builds an equal instance."""
        data: dict[str, Any] = {"memory": self.memory, "name": self.name}
        for name in [*PROBLEM_FIELDS, "arrival_seconds", "witness"]:
            left_out = (name == "predicted" and not self.has_predictions) or (
                name in ("predicted_low", "predicted_high") and not self.has_intervals
            )
            value = getattr(self, name)
            if value is not None and not left_out:
                data[name] = value.tolist()
        if self.info:
            data["info"] = json.loads(json.dumps(dict(self.info), default=_plain))
        return data

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Instance:
        """Build an instance from `to_dict`'s data."""
        names = [f.name for f in fields(cls) if f.init]
        unknown = sorted(set(data) - set(names))
        if unknown:
            raise BadInstance(f"unknown field {unknown[0]!r}: an instance has {', '.join(names)}")
        return cls(**data)

    def save(self, path: str | Path) -> Path:
        """Write one file: ``.json`` for people, ``.npz`` for size."""
        path = Path(path)
        if path.suffix == ".npz":
            data = self.to_dict()
            arrays = {k: np.asarray(data.pop(k)) for k in list(data) if isinstance(data[k], list)}
            arrays["meta"] = np.frombuffer(json.dumps(data).encode(), np.uint8)
            np.savez_compressed(path, **arrays)  # type: ignore[arg-type]
        elif path.suffix == ".json":
            path.write_text(json.dumps(self.to_dict()) + "\n")
        else:
            raise BadInstance(f"{path}: an instance is saved as .json or .npz")
        return path

    @classmethod
    def load(cls, path: str | Path) -> Instance:
        """Read a file written by `save`."""
        path = Path(path)
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as archive:
                data = json.loads(archive["meta"].tobytes())
                data.update({k: archive[k] for k in archive.files if k != "meta"})
            return cls.from_dict(data)
        try:
            return cls.from_dict(json.loads(path.read_text()))
        except json.JSONDecodeError as fault:
            raise BadInstance(f"{path}: line {fault.lineno} is not JSON ({fault.msg})") from fault


def _frozen(array: IntArray) -> IntArray:
    array.flags.writeable = False
    return array


def _plain(value: Any) -> Any:
    """Turn NumPy scalars, arrays and mappings into what JSON knows."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return dict(value)
    return str(value)


__all__ = ["PROBLEM_FIELDS", "Instance", "IntArray"]

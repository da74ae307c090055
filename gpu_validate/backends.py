"""How decodes attend: the ways there are on a device, checked against the plain one, and the fastest of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from gpu_validate import libraries
from gpu_validate.attention import Decode, allow_cudnn, gathered
from gpu_validate.batch import Batch
from gpu_validate.shapes import ModelShape
from gpu_validate.timers import timed

#: (requests, tokens of each) on which ways are timed
CONTEST = (64, 1024)
#: largest difference to the plain form in float32 that is taken for rounding, by dtype of the cache
TOLERANCE = {"bfloat16": 5e-2, "float16": 6e-3, "float32": 1e-4, "float64": 1e-4}


@dataclass(frozen=True)
class Choice:
    """The way chosen, and why.

    Attributes
    ----------
    name : str
    decode : callable
    seconds : dict
        Of one layer's decode attention at `CONTEST`, by name; empty where there was no contest.
    rejected : dict
        Name -> reason.
    """

    name: str
    decode: Decode = field(repr=False)
    seconds: dict[str, float] = field(default_factory=dict)
    rejected: dict[str, str] = field(default_factory=dict)

    def facts(self) -> dict[str, Any]:
        """Plain data for the results file."""
        return {"chosen": self.name, "seconds_per_layer": self.seconds, "rejected": self.rejected}


def choose(shape: ModelShape, device: Any, dtype: Any) -> Choice:
    """Return how decodes attend on a device; on the CPU there is one way.

    Every other way is first compared with the plain one on a random cache with requests of different lengths, then
    timed; one that cannot be loaded, fails or differs is rejected with its reason.
    """
    if device.type != "cuda":
        return Choice("gathered", gathered)
    ways: dict[str, Decode] = {"gathered": gathered}
    rejected: dict[str, str] = {}
    try:
        from gpu_validate.paged_kernel import paged

        ways["paged"] = paged
    except ImportError as fault:
        rejected["paged"] = str(fault)
    before = allow_cudnn(device, False)  # as in a replay
    try:
        seconds = _contest(ways, rejected, shape, device, dtype)
    finally:
        allow_cudnn(device, before)
    if not seconds:
        return Choice("gathered", gathered, {}, rejected)
    best = min(seconds, key=lambda name: seconds[name])
    return Choice(best, ways[best], seconds, rejected)


def _contest(
    ways: dict[str, Decode], rejected: dict[str, str], shape: ModelShape, device: Any, dtype: Any
) -> dict[str, float]:
    """Check and time each way; what fails goes into ``rejected`` with its reason."""
    seconds: dict[str, float] = {}
    for name, way in ways.items():
        try:
            gap = difference(way, shape, device, dtype)
            limit = TOLERANCE[str(dtype).removeprefix("torch.")]
            if not gap <= limit:
                rejected[name] = f"differs from the plain form by {gap:.2g}, more than {limit:g}"
                continue
            seconds[name] = _seconds(way, shape, device, dtype)
        except Exception as fault:  # a compiler may fail in any way; the reason goes into the results
            rejected[name] = f"{type(fault).__name__}: {str(fault).splitlines()[0] if str(fault) else ''}"
    return seconds


def difference(way: Decode, shape: ModelShape, device: Any, dtype: Any) -> float:
    """Largest absolute difference to the plain form in float32, on unit-variance queries, keys and values."""
    torch = libraries.torch()
    query, keys, values, batch = _case(shape, device, dtype, [1, 2, 63, 64, 65, 200, 511])
    scale = shape.head_dim**-0.5
    wanted = gathered(query.float(), keys.float(), values.float(), batch, scale)
    got = way(query, keys, values, batch, scale).float()
    gap = (wanted - got).abs().max()
    return float(gap) if bool(torch.isfinite(got).all()) else float("inf")


def _seconds(way: Decode, shape: ModelShape, device: Any, dtype: Any) -> float:
    count, tokens = CONTEST
    query, keys, values, batch = _case(shape, device, dtype, [tokens] * count)
    scale = shape.head_dim**-0.5
    laps = timed(lambda: _ignore(way(query, keys, values, batch, scale)), device, repeats=7, warm_up=3)
    return float(sorted(laps)[len(laps) // 2])


def _ignore(_: Any) -> None:
    """Drop a result."""


def _case(shape: ModelShape, device: Any, dtype: Any, lengths: list[int]) -> tuple[Any, Any, Any, Batch]:
    """A random cache in which the slots of every request are scattered."""
    torch = libraries.torch()
    draw = torch.Generator(device=device).manual_seed(0)
    total, longest = sum(lengths), max(lengths)

    def normal(*size: int) -> Any:
        return torch.randn(size, generator=draw, device=device, dtype=torch.float32).to(dtype)

    keys, values = (normal(total + 1, shape.kv_heads, shape.head_dim) for _ in range(2))
    order = torch.randperm(total, generator=draw, device=device)
    table = torch.zeros((len(lengths), longest), dtype=torch.int64, device=device)
    begin = 0
    for row, length in enumerate(lengths):
        table[row, :length] = order[begin : begin + length]
        begin += length
    rows = torch.arange(len(lengths), device=device)
    counts = torch.tensor(lengths, device=device)
    batch = Batch(None, len(lengths), rows, counts, table, longest)
    return normal(len(lengths), shape.heads, shape.head_dim), keys, values, batch

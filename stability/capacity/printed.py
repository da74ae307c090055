"""The figures of arXiv 2605.04595 beside ours: those that follow from its formulas, and the two that do not."""

from __future__ import annotations

from dataclasses import dataclass

from stability.capacity.distributions import distribution
from stability.capacity.fleets import fleet, mixture
from stability.capacity.lengths import Independent
from stability.capacity.provision import capacity

#: KV memory and chunk of the published runs, tokens
MEMORY, CHUNK = 131_000, 512
#: highest prompt and output (both uniform from 10), seconds per slot, printed mu, throughput that they measured
UNIFORM = (
    (1600, 1600, 0.0372, 3.263, 3.387),
    (2133, 1066, 0.0430, 3.956, 3.650),
    (1066, 2133, 0.0337, 2.902, 2.969),
)


@dataclass(frozen=True)
class Published:
    """A printed figure and what its formula gives.

    Attributes
    ----------
    what : str
    printed : float
        Requests per second.
    ours : float or None
        By the printed formula; None where it cannot be computed from what is printed.
    measured : float or None
        Requests per second that the authors measured on GPUs.
    follows : bool or None
        Whether ours rounds to what is printed; None where there is no ours.
    why : str
    """

    what: str
    printed: float
    ours: float | None
    measured: float | None
    follows: bool | None
    why: str


def published() -> tuple[Published, ...]:
    """Return every printed capacity with ours.

    Notes
    -----
    Measured throughputs are the authors'. ``throughput b E[g] / M`` is the mean fill of the memory when no work is
    lost, so a small gap between mu and the throughput mostly says that b was measured and the memory was full.
    """
    rows, mus = [], []
    for prompt, output, b, printed, measured in UNIFORM:
        lengths = Independent(distribution(f"uniform:10:{prompt}"), distribution(f"uniform:10:{output}"))
        ours = capacity(lengths, MEMORY, b, chunk=CHUNK).mu
        mus.append(ours)
        why = f"M / (b E[g]) with closed areas and independent draws; the gap vanishes at b = {b * ours / measured:.4f}"
        rows.append(_row(f"uniform prompts to {prompt}, outputs to {output}", printed, ours, measured, why))
    half = mixture(mus[1:], (0.5, 0.5))
    gap = abs(half - 3.137) / 3.137
    rows.append(
        _row(
            "the last two, half of the requests each",
            3.385,
            half,
            3.137,
            f"the harmonic mixture of the two is {half:.3f}, not 3.385; the gap to the measured rate is then {gap:.1%}",
        )
    )
    eight = fleet([mus[0]], [8]).mu
    other = 8 * mus[0] * UNIFORM[0][2] / 25.808
    rows.append(
        _row("8 GPUs, the first", 25.808, eight, 26.710, f"8 mu = {eight:.3f}; 25.808 needs b = {other:.5f}, not .0372")
    )
    for what, printed, measured in (
        ("LongBench", 0.561, 0.610),
        ("8:1 mix, one trimming of the batch times", 4.977, 5.470),
        ("8:1 mix, another trimming", 5.862, 5.470),
    ):
        rows.append(Published(what, printed, None, measured, None, "lengths and b are not printed, so not recomputed"))
    return tuple(rows)


def _row(what: str, printed: float, ours: float, measured: float, why: str) -> Published:
    return Published(what, printed, ours, measured, abs(ours - printed) <= 0.0005 * (1 + 1e-9), why)

"""A study: which models, instances and policies, how large, and how long it may take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gpu_validate.calibrate import LARGE, SMALL, Grid
from gpu_validate.contest import Entry, Subject
from kvratio.problem.errors import UnknownName


@dataclass(frozen=True)
class Study:
    """What `conduct` does.

    Parameters
    ----------
    name : str
    models : tuple of str
        Names of shapes for random weights, or folders and hub ids.
    subjects : tuple of Subject
    entries : tuple of Entry
        The most important first: where time is short, the last are left out.
    overload : Subject
        Of the capacity check.
    grid : Grid
        Of the calibration.
    calibration_memory : int
        Tokens of its cache.
    yardstick : (int, int)
        Batch and context at which the replay is held against the library's static-cache step.
    repeats : int
        Replays of each schedule.
    budget : float
        Seconds in all.
    needs_cuda : bool
    """

    name: str
    models: tuple[str, ...]
    subjects: tuple[Subject, ...]
    entries: tuple[Entry, ...]
    overload: Subject
    grid: Grid
    calibration_memory: int
    yardstick: tuple[int, int]
    repeats: int = 1
    budget: float = 540.0
    needs_cuda: bool = True

    def to_dict(self) -> dict[str, Any]:
        """Plain data; the grid goes by the name of the study."""
        return {
            "study": self.name,
            "models": list(self.models),
            "subjects": [subject.to_dict() for subject in self.subjects],
            "entries": [entry.to_dict() for entry in self.entries],
            "repeats": self.repeats,
            "budget": self.budget,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Study:
        """Return the study that wrote ``data``, to do it again."""
        return replace(
            study(data["study"]),
            models=tuple(data["models"]),
            subjects=tuple(Subject.from_dict(one) for one in data["subjects"]),
            entries=tuple(Entry(**one) for one in data["entries"]),
            repeats=data["repeats"],
            budget=data["budget"],
        )


def entries(names: Sequence[str]) -> tuple[Entry, ...]:
    """Return policies with their defaults."""
    return tuple(Entry(name, name) for name in names)


#: guarantees of every kind, kills of every kind, and what engines do; the most telling first
POLICIES = ("mc_sf", "vllm_fcfs", "gsa", "sorted_f", "fcfs", "svf", "rect", "alpha_protection")

FULL = Study(
    "full",
    ("llama-2-7b", "llama-3-8b"),
    (
        Subject(
            "two_point",
            "two_point",
            {
                "count": 160,
                "memory": 16384,
                "prompt": 256,
                "short": 16,
                "long": 256,
                "share": 0.2,
            },
        ),
        Subject("azure_batch", "azure_conv_like", {"count": 144, "memory": 32768}, longest=1280),
        Subject("burst", "burst_trap", {"memory": 400, "start": 0}),
        Subject(
            "long_protection",
            "long_protection",
            {
                "prompt": 96,
                "memory": 256,
                "long": 3,
                "long_output": 160,
                "short": 100,
            },
        ),
    ),
    entries(POLICIES),
    Subject(
        "overload",
        "two_point",
        {
            "count": 300,
            "memory": 12288,
            "prompt": 256,
            "short": 32,
            "long": 160,
            "share": 0.3,
        },
    ),
    LARGE,
    98304,
    (64, 1024),
)

TINY = Study(
    "tiny",
    ("tiny",),
    (
        Subject(
            "two_point",
            "two_point",
            {
                "count": 40,
                "memory": 400,
                "prompt": 8,
                "short": 4,
                "long": 48,
                "share": 0.25,
            },
        ),
        Subject(
            "azure_batch",
            "azure_conv_like",
            {
                "count": 24,
                "memory": 4096,
            },
            longest=1150,
        ),
        Subject("burst", "burst_trap", {"memory": 200, "start": 0}),
        Subject(
            "long_protection",
            "long_protection",
            {
                "prompt": 12,
                "memory": 64,
                "long": 4,
                "long_output": 40,
                "short": 60,
            },
        ),
    ),
    entries(POLICIES[:6]),
    Subject(
        "overload",
        "two_point",
        {
            "count": 80,
            "memory": 400,
            "prompt": 8,
            "short": 4,
            "long": 24,
            "share": 0.3,
        },
    ),
    SMALL,
    4096,
    (8, 64),
    repeats=2,
    budget=85.0,
    needs_cuda=False,
)

STUDIES = {one.name: one for one in (FULL, TINY)}


def study(name: str) -> Study:
    """Return a study by name.

    Raises
    ------
    UnknownName
    """
    if name not in STUDIES:
        raise UnknownName(f"no study {name!r}: choose one of {', '.join(STUDIES)}")
    return STUDIES[name]

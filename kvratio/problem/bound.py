"""An interval that contains the optimum, with the certificates that prove it."""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kvratio.problem.errors import BadParameter
from kvratio.problem.instance import Instance
from kvratio.problem.schedule import Schedule

OBJECTIVES = ("completion", "flow")
GRADES = ("certified", "solver", "solver*2", "none")


@dataclass(frozen=True)
class Certificate:
    """One proof of one side of a bound.

    Parameters
    ----------
    kind : str
        ``starts``, ``LB1``, ``dual``, ``solver``, .. (docs/certificates.md).
    side : {"lower", "upper"}
    data : mapping
        JSON-able values; large integers as Python ints.
    """

    kind: str
    side: str
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Bound:
    """``lower <= OPT <= upper`` for one objective of one instance.

    Parameters
    ----------
    instance : Instance
    method : str
    objective : {"completion", "flow"}
    lower : int
    upper : int or None
        Cost of a checked schedule; None when the method gives none.
    status : {"optimal", "interval"}
        ``optimal`` exactly when lower = upper.
    certificates : tuple of Certificate
    grade : {"certified", "solver", "solver*2", "none"}
        How the lower side is known: recomputed from a certificate, or one solver's or two solvers' word.
    seconds : float
        Time taken; never part of a key, and not saved.
    schedule : Schedule, optional
        One that attains ``upper``.
    claimed : int, optional
        What a user's bound says beyond ``lower`` without a certificate that verifies. It is never part of the interval.
    refusals : tuple of str
        Why certificates that came with it were refused.
    """

    instance: Instance
    method: str
    objective: str
    lower: int
    upper: int | None
    certificates: tuple[Certificate, ...] = ()
    grade: str = "certified"
    seconds: float = 0.0
    schedule: Schedule | None = None
    claimed: int | None = None
    refusals: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.objective not in OBJECTIVES:
            raise BadParameter(f"objective is {self.objective!r}: choose completion or flow")
        if self.grade not in GRADES:
            raise BadParameter(f"grade is {self.grade!r}: choose one of {', '.join(GRADES)}")
        if self.upper is not None and self.lower > self.upper:
            raise BadParameter(
                f"bound {self.method}: lower {self.lower} is above upper {self.upper}: one of them is wrong"
            )

    @property
    def refuted(self) -> bool:
        """Whether a schedule costs less than what is claimed: then the claim is false."""
        return self.claimed is not None and self.upper is not None and self.claimed > self.upper

    @property
    def status(self) -> str:
        """``optimal`` when both sides meet, else ``interval``."""
        return "optimal" if self.upper == self.lower else "interval"

    @property
    def gap(self) -> float:
        """Upper / lower - 1; infinite when there is no upper side or lower <= 0."""
        return float("inf") if self.upper is None or self.lower <= 0 else self.upper / self.lower - 1

    def verify(self) -> bool:
        """Recheck lower and upper from the certificates alone; return True.

        Raises
        ------
        KvratioError
            Names the certificate that does not hold.
        """
        # The verifier lives above the ground floor; it imports nothing but the ground floor.
        importlib.import_module("lowerbounds.verify").verify_bound(self)
        return True

    def save(self, path: str | Path) -> Path:
        """Write one ``.json`` file with instance, interval and certificates."""
        path = Path(path)
        data = {
            "kind": "bound",
            "method": self.method,
            "objective": self.objective,
            "lower": self.lower,
            "upper": self.upper,
            "grade": self.grade,
            "instance": self.instance.to_dict(),
            "certificates": [{"kind": c.kind, "side": c.side, "data": dict(c.data)} for c in self.certificates],
            "starts": None if self.schedule is None else self.schedule.start.tolist(),
        }
        if self.claimed is not None or self.refusals:
            data |= {"claimed": self.claimed, "refusals": list(self.refusals)}
        path.write_text(json.dumps(data) + "\n")
        return path

    @classmethod
    def load(cls, path: str | Path) -> Bound:
        """Read a file written by `save`. Nothing is trusted yet: call `verify`."""
        try:
            data = json.loads(Path(path).read_text())
            instance = Instance.from_dict(data["instance"])
            starts = data["starts"]
            return cls(
                instance=instance,
                method=data["method"],
                objective=data["objective"],
                lower=data["lower"],
                upper=data["upper"],
                certificates=tuple(Certificate(**c) for c in data["certificates"]),
                grade=data["grade"],
                schedule=None if starts is None else Schedule.from_starts(instance, starts, policy=data["method"]),
                claimed=data.get("claimed"),
                refusals=tuple(data.get("refusals", ())),
            )
        except (KeyError, TypeError, json.JSONDecodeError) as fault:
            raise BadParameter(f"{path} is not a saved bound ({type(fault).__name__}: {fault})") from fault

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Bound):
            return False
        mine, theirs = (
            (b.instance, b.method, b.objective, b.lower, b.upper, b.grade, b.certificates, b.claimed)
            for b in (self, other)
        )
        return mine == theirs

    __hash__ = None  # type: ignore[assignment]

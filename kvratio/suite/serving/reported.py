"""Published figures: those that ours stand beside, and those that cannot follow from the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kvratio.problem.errors import BadParameter

QUANTITIES = ("largest", "latency_mean", "restarted_share")


@dataclass(frozen=True)
class Reported:
    """A figure that a paper reports.

    Parameters
    ----------
    load : str
        Label of the load of the experiment.
    quantity : str
        ``largest`` (stable rate, requests per second), ``latency_mean`` (s) or ``restarted_share``.
    who : str
        Policy as the paper calls it.
    value : float
    policies : tuple of str
        Labels of ours that stand beside it.
    rate : float, optional
        Requests per second.
    sd : float, optional
        Standard deviation that the paper gives.
    """

    load: str
    quantity: str
    who: str
    value: float
    policies: tuple[str, ...]
    rate: float | None = None
    sd: float | None = None

    @classmethod
    def read(cls, row: Mapping[str, Any], where: str) -> Reported:
        """Build from a table of TOML."""
        known = ("load", "quantity", "who", "value", "policies", "rate", "sd")
        for key in row:
            if key not in known:
                raise BadParameter(f"{where}: unknown key {key!r}: choose from {', '.join(known)}")
        for key in known[:5]:
            if key not in row:
                raise BadParameter(f"{where}: {key} is missing")
        if row["quantity"] not in QUANTITIES:
            raise BadParameter(f"{where}: quantity is {row['quantity']!r}: choose from {', '.join(QUANTITIES)}")
        if row["quantity"] != "largest" and "rate" not in row:
            raise BadParameter(f"{where}: rate is missing: a {row['quantity']} was measured at some rate")
        return cls(**{**row, "value": float(row["value"]), "policies": tuple(row["policies"])})


@dataclass(frozen=True)
class CannotFollow:
    """A published figure that cannot be reproduced.

    Parameters
    ----------
    figure : str
        What was reported.
    why : str
    check : tuple, optional
        (prompt, output, d0, d1, d2, memory): the fluid limit of this single type is worked out beside the words.
    """

    figure: str
    why: str
    check: tuple[float, ...] | None = None

    @classmethod
    def read(cls, row: Mapping[str, Any], where: str) -> CannotFollow:
        """Build from a table of TOML."""
        for key in row:
            if key not in ("figure", "why", "check"):
                raise BadParameter(f"{where}: unknown key {key!r}: choose from figure, why, check")
        if not row.get("figure") or not row.get("why"):
            raise BadParameter(f"{where}: give figure, what was reported, and why it cannot follow")
        check = row.get("check")
        if check is not None and len(check) != 6:
            raise BadParameter(f"{where}: check is {check!r}: give [prompt, output, d0, d1, d2, memory]")
        return cls(str(row["figure"]), str(row["why"]), None if check is None else tuple(float(x) for x in check))

    @property
    def limit(self) -> float | None:
        """Fluid limit in requests per second of what ``check`` describes."""
        if self.check is None:
            return None
        from kvratio.problem.clock import Clock
        from stability.fluid import equilibrium

        prompt, output, d0, d1, d2, memory = self.check
        return equilibrium([(prompt, int(output), 1.0)], Clock(d0, d1, d2), memory or None).r_c

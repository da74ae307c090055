"""What a run asks of the place where its work is done."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from kvratio.suite.cell import Built, Unit
from kvratio.suite.plan import InstanceSpec
from kvratio.suite.store import RunFolder

#: a cell, and whether it failed
Outcome = tuple[str, bool]


class Backend(Protocol):
    """Three stages, each as an iterator that yields as results come, in any order.

    A backend survives the death of its workers: a cell (or an instance) that kills is reported as failed, the others
    are worked out. Finished cells are in the run folder's journals by the time they are yielded.

    Attributes
    ----------
    name : str
        As ``--backend`` takes it.
    workers : int
        Processes that work at the same time.
    """

    name: str
    workers: int

    def warm(self, tasks: Sequence[tuple[str, str]]) -> Iterator[None]:
        """Compile policies and bounds, named by ("policy" or "bound", id); yield once per task."""

    def build(self, specs: Sequence[InstanceSpec], seconds: float, folder: RunFolder) -> Iterator[tuple[int, Built]]:
        """Build instances, each within a time limit; yield the position of each with what came of it."""

    def judge(self, units: Sequence[Unit], folder: RunFolder) -> Iterator[list[Outcome]]:
        """Work out units, keep rows, schedules and certificates in the folder; yield the cells that are done."""

    def close(self) -> None:
        """End the workers that this backend started."""


__all__ = ["Backend", "Outcome"]

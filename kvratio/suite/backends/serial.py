"""Everything in this process: the plainest backend, and the one whose bytes the others must give."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kvratio.suite.backends.backend import Outcome
from kvratio.suite.cell import Built, Unit, build_instance, run_unit, warm
from kvratio.suite.plan import InstanceSpec
from kvratio.suite.store import RunFolder


class Serial:
    """No process beside this one, so a debugger works and a crash in compiled code ends the run."""

    name, workers = "serial", 1

    def warm(self, tasks: Sequence[tuple[str, str]]) -> Iterator[None]:
        """Compile one after the other."""
        for kind, name in tasks:
            warm(kind, name)
            yield

    def build(self, specs: Sequence[InstanceSpec], seconds: float, folder: RunFolder) -> Iterator[tuple[int, Built]]:
        """Build one after the other."""
        for k, spec in enumerate(specs):
            yield k, build_instance(spec, seconds)

    def judge(self, units: Sequence[Unit], folder: RunFolder) -> Iterator[list[Outcome]]:
        """Work out one unit after the other."""
        for unit in units:
            yield run_unit(unit, str(folder.path.absolute()), False)

    def close(self) -> None:
        """Nothing was started."""


__all__ = ["Serial"]

"""What a person sees while a suite runs: one bar a stage, on stderr."""

from __future__ import annotations

import sys
import time
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


class Reporter(Protocol):
    """What `run_suite` tells while it works."""

    def stage(self, title: str, total: int) -> None:
        """Begin a stage of ``total`` steps."""

    def advance(self, steps: int = 1, failed: int = 0) -> None:
        """Report steps done, and how many of them failed."""

    def note(self, text: str) -> None:
        """Say one line."""

    def close(self) -> None:
        """Take the bar away."""


class Silent:
    """Says nothing."""

    def stage(self, title: str, total: int) -> None:
        """Begin a stage."""

    def advance(self, steps: int = 1, failed: int = 0) -> None:
        """Report steps."""

    def note(self, text: str) -> None:
        """Say one line."""

    def close(self) -> None:
        """Take nothing away."""


class Bars:
    """A progress bar a stage, for terminals."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description:<24}"),
            BarColumn(bar_width=32),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[failures]}", style="bold red"),
            console=console,
        )
        self._task: TaskID | None = None
        self._failed = 0
        self._progress.start()

    def stage(self, title: str, total: int) -> None:
        """Begin a bar."""
        self._failed = 0
        self._task = self._progress.add_task(title, total=total, failures="")

    def advance(self, steps: int = 1, failed: int = 0) -> None:
        """Move the bar."""
        if self._task is None:
            return
        self._failed += failed
        self._progress.update(self._task, advance=steps, failures=f"{self._failed} failed" if self._failed else "")

    def note(self, text: str) -> None:
        """Print a line above the bars."""
        self._progress.console.print(text, soft_wrap=True, highlight=False)

    def close(self) -> None:
        """Leave the bars as they stand."""
        self._progress.stop()


class Lines:
    """A plain line now and then, for logs."""

    def __init__(self, every: float = 10.0) -> None:
        self._every = every
        self._title, self._total, self._done, self._failed = "", 0, 0, 0
        self._begun = self._told = time.monotonic()

    def stage(self, title: str, total: int) -> None:
        """Begin a stage."""
        self._title, self._total, self._done, self._failed = title, total, 0, 0
        self._begun = self._told = time.monotonic()
        self._tell()

    def advance(self, steps: int = 1, failed: int = 0) -> None:
        """Count, and print when the last line is old enough or the stage is complete."""
        self._done += steps
        self._failed += failed
        if self._done >= self._total or time.monotonic() - self._told > self._every:
            self._tell()

    def note(self, text: str) -> None:
        """Print a line."""
        print(text, file=sys.stderr, flush=True)

    def close(self) -> None:
        """Nothing to take away."""

    def _tell(self) -> None:
        self._told = time.monotonic()
        failures = f", {self._failed} failed" if self._failed else ""
        self.note(f"{self._title}: {self._done}/{self._total}{failures} ({self._told - self._begun:.0f} s)")


def reporter(wanted: bool) -> Reporter:
    """Return bars on a terminal, lines in a log, or silence."""
    if not wanted:
        return Silent()
    return Bars(Console(stderr=True)) if sys.stderr.isatty() else Lines()

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
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress_bar import ProgressBar


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


class _TimeBar(BarColumn):
    """A bar that fills as time passes, up to the task's total in seconds."""

    def render(self, task: Task) -> ProgressBar:
        """Draw the share of the time that has passed."""
        elapsed = task.finished_time if task.finished_time is not None else task.elapsed
        return ProgressBar(total=task.total or 1.0, completed=min(elapsed or 0.0, task.total or 1.0), width=32)


class IntervalBar:
    """Shows an interval closing while a bound is worked out: a bar of time, and both sides as they improve.

    Parameters
    ----------
    title : str
    seconds : float
        The time limit.
    console : Console
        On a terminal the bar moves; elsewhere a line is written when a side has improved, every ten seconds at most.
    """

    def __init__(self, title: str, seconds: float, console: Console, every: float = 10.0) -> None:
        self._console, self._every, self._title = console, every, title
        self._begun = self._told = time.monotonic()
        columns = (TextColumn("{task.description}"), _TimeBar(), TimeElapsedColumn(), TextColumn("{task.fields[now]}"))
        self._progress = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._task = self._progress.add_task(title, total=max(seconds, 1e-3), now="")

    def __enter__(self) -> IntervalBar:
        self._progress.start()
        return self

    def __exit__(self, *fault: object) -> None:
        self._progress.stop()

    def update(self, lower: int | None, upper: int | None) -> None:
        """Show where the interval stands."""
        text = f"between {'?' if lower is None else lower} and {'?' if upper is None else upper}"
        if lower is not None and upper is not None and lower > 0:
            text += f", gap {upper / lower - 1:.3%}"
        self._progress.update(self._task, now=text)
        now = time.monotonic()
        if self._progress.disable and now - self._told > self._every:
            self._told = now
            print(f"{self._title}: {text} ({now - self._begun:.0f} s)", file=sys.stderr, flush=True)

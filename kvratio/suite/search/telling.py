"""What a person sees while a search runs: the best ratio against time, on stderr."""

from __future__ import annotations

import sys
import time

from kvratio.suite.search.conduct import Report

#: seconds between lines where stderr is no terminal
EVERY = 10.0


class Teller:
    """Prints a line for each improvement, and keeps one line up to date on a terminal.

    Parameters
    ----------
    what : str
        What is searched for, said once at the beginning.
    quiet : bool
    """

    def __init__(self, what: str, quiet: bool = False) -> None:
        self.quiet, self._live = quiet, sys.stderr.isatty()
        self._best, self._told = 0.0, time.monotonic()
        if not quiet:
            keys = " (q or Ctrl-C keeps the best and ends)" if self._live else ""
            print(f"{what}{keys}", file=sys.stderr, flush=True)

    def __call__(self, report: Report) -> None:
        """Take in what an epoch gave."""
        if self.quiet:
            return
        line = f"{report.seconds:7.1f} s  {report.screened:>12,} screened  ratio {report.ratio:.4f}"
        if report.best is not None:
            line += f"  (n {report.best.n}, M {report.best.memory})"
        now = time.monotonic()
        better = report.ratio > self._best
        if self._live:
            print("\r\x1b[2K" + line, end="\n" if better else "", file=sys.stderr, flush=True)
        elif better or now - self._told > EVERY:
            print(line, file=sys.stderr, flush=True)
            self._told = now
        self._best = max(self._best, report.ratio)

    def close(self) -> None:
        """Leave the terminal on a fresh line."""
        if self._live and not self.quiet:
            print("\r\x1b[2K", end="", file=sys.stderr, flush=True)

"""Time limits of a cell: a soft one that raises, and a hard one that ends the worker."""

from __future__ import annotations

import faulthandler
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import IO

from kvratio.problem.errors import KvratioError


class CellTimeout(KvratioError):
    """A cell used up its time."""


@contextmanager
def deadline(seconds: float, what: str) -> Iterator[None]:
    """Raise `CellTimeout` in the block after some seconds.

    The alarm is a signal, delivered between two Python instructions: compiled code is stopped when it returns. A
    loop that never returns is left to `hard_limit` and to the engine's limit on rounds. Signals reach the main
    thread only; in another thread, and where there are no interval timers, the block runs without a limit.
    """
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(number: int, frame: FrameType | None) -> None:
        raise CellTimeout(f"{what} took longer than {seconds:g} s: raise cell_seconds, or use a smaller instance")

    previous = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, previous)


@contextmanager
def hard_limit(seconds: float, log: IO[str] | None) -> Iterator[None]:
    """End the process if the block lasts longer, whatever it is doing; None for ``log`` means no limit."""
    if log is None:
        yield
        return
    faulthandler.dump_traceback_later(seconds, exit=True, file=log)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()

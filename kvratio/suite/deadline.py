"""Time limits of a cell: a soft one that raises, and a hard one that ends the worker."""

from __future__ import annotations

import ctypes
import faulthandler
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import IO

from kvratio.problem.errors import KvratioError

#: how the last words of a process begin that `hard_limit` ended
TIMEOUT = "Timeout ("


class CellTimeout(KvratioError):
    """A cell used up its time."""


@contextmanager
def deadline(seconds: float, what: str) -> Iterator[None]:
    """Raise `CellTimeout` in the block after some seconds.

    The alarm is a signal, delivered between two Python instructions: compiled code is stopped when it returns. A
    loop that never returns is left to `hard_limit` and to the engine's limit on rounds. Signals reach the main
    thread only; in another thread (as in dask workers) the interpreter is asked to raise there, at the same places.
    """
    told = f"{what} took longer than {seconds:g} s: raise cell_seconds, or use a smaller instance"
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        with _thread_deadline(seconds, told):
            yield
        return

    def ring(number: int, frame: FrameType | None) -> None:
        raise CellTimeout(told)

    previous = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, previous)


class _Rung(BaseException):
    """Raised in a thread by its alarm; nothing in the block takes it for an error of its own."""


@contextmanager
def _thread_deadline(seconds: float, told: str) -> Iterator[None]:
    """`deadline` for threads other than the main one."""
    thread, lock, over = ctypes.c_ulong(threading.get_ident()), threading.Lock(), False

    def ring() -> None:
        with lock:
            if not over:
                ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, ctypes.py_object(_Rung))

    alarm = threading.Timer(seconds, ring)
    alarm.daemon = True
    alarm.start()
    try:
        try:
            yield
        finally:
            with lock:
                over = True
            ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, None)  # rung, and not yet arrived
            alarm.cancel()
    except _Rung:
        raise CellTimeout(told) from None


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

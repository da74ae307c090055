"""Whether the person at the keyboard wants the search to end: Ctrl-C or q."""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def stop_key() -> Iterator[Callable[[], bool]]:
    """Give a function that tells whether Ctrl-C or q was pressed; a second Ctrl-C interrupts at once.

    Ctrl-C is caught in the main thread only; q is read where stdin is a terminal.
    """
    pressed = threading.Event()

    def interrupt(number: int, frame: FrameType | None) -> None:
        if pressed.is_set():
            raise KeyboardInterrupt
        pressed.set()

    main = threading.current_thread() is threading.main_thread()
    previous = signal.signal(signal.SIGINT, interrupt) if main else None
    try:
        with _keys(pressed):
            yield pressed.is_set
    finally:
        if main:
            signal.signal(signal.SIGINT, previous)


@contextmanager
def _keys(pressed: threading.Event) -> Iterator[None]:
    """Watch the terminal for q, without waiting for the end of a line."""
    try:
        import termios
        import tty

        stdin = sys.stdin.fileno()
        # A job in the background must not touch the terminal: it would be stopped.
        ours = os.isatty(stdin) and os.tcgetpgrp(stdin) == os.getpgrp()
    except (ImportError, OSError, ValueError):
        # No terminal, no keys: Ctrl-C and the limits remain.
        ours = False
    if not ours:
        yield
        return
    before = termios.tcgetattr(stdin)
    over = threading.Event()

    def watch() -> None:
        while not over.is_set():
            if select.select([stdin], [], [], 0.2)[0] and os.read(stdin, 1) in (b"q", b"Q"):
                pressed.set()

    tty.setcbreak(stdin)
    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()
        termios.tcsetattr(stdin, termios.TCSADRAIN, before)

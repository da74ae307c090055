"""One process at a time on a run folder.

The lock is the operating system's (``flock``) on a file in the folder, so it ends with its owner however that ends; the
file says who the owner is, for the message, and for folders that several machines share, where locks may not reach.
"""

from __future__ import annotations

import datetime
import fcntl
import json
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from kvratio.problem.errors import BadParameter

NAME = ".lock"
#: folders that this process holds: a run may write its tables while it has its folder
_HELD: set[Path] = set()


@contextmanager
def hold(folder: Path) -> Iterator[bool]:
    """Hold a run folder; yield whether it was taken over from a process that ended without letting go.

    Raises
    ------
    BadParameter
        Another process holds it: one line with its number, machine and age.
    """
    at = folder.resolve()
    if at in _HELD:
        yield False
        return
    with (folder / NAME).open("a+") as file:
        left_over = _take(file, folder)
        _HELD.add(at)
        try:
            yield left_over
        finally:
            _HELD.discard(at)
            # Emptied, not removed: another process may have opened it already and wait to lock what it opened.
            file.truncate(0)


def _take(file: IO[str], folder: Path) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as fault:
        raise BadParameter(
            f"{folder} is in use by {_told(_owner(file))}: wait for it, or give another folder with --out"
        ) from fault
    owner = _owner(file)
    if owner.get("host", platform.node()) != platform.node():
        raise BadParameter(
            f"{folder} is in use by {_told(owner)}: wait for it; if it is gone, delete {folder / NAME} and start again"
        )
    file.truncate(0)
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    file.write(json.dumps({"pid": os.getpid(), "host": platform.node(), "since": now}))
    file.flush()
    return bool(owner)


def _owner(file: IO[str]) -> dict[str, Any]:
    """What the file says; nothing where it is empty, or was just being written."""
    file.seek(0)
    with suppress(json.JSONDecodeError):
        return dict(json.loads(file.read() or "{}"))
    return {}


def _told(owner: dict[str, Any]) -> str:
    if not owner:
        return "another process"
    age = datetime.datetime.now(datetime.UTC) - datetime.datetime.fromisoformat(owner["since"])
    return f"process {owner['pid']} on {owner['host']} for {_age(int(age.total_seconds()))}"


def _age(seconds: int) -> str:
    for size, unit in ((86_400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{max(seconds, 0)} s"


__all__ = ["NAME", "hold"]

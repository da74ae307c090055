"""The seal of a run folder: a hash of every file, so that an altered byte is noticed."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

from kvratio.suite.identity import file_hash

NAME = "seal.json"
#: what a run leaves behind that is not part of its results
UNSEALED = ("results/shards", "results/in_flight")


def sealed_files(folder: Path) -> Iterator[Path]:
    """Yield every file of a run folder that its seal covers, in sorted order."""
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder).as_posix()
        if path.is_file() and inside != NAME and not inside.startswith(UNSEALED) and not path.name.startswith("."):
            yield path


def seal(folder: Path) -> Path:
    """Write ``seal.json``: the sha256 of every file, and of the list itself."""
    files = {path.relative_to(folder).as_posix(): file_hash(path) for path in sealed_files(folder)}
    path, part = folder / NAME, folder / f".{NAME}.{os.getpid()}.part"
    part.write_text(_text(files))
    os.replace(part, path)
    return path


def broken_seal(folder: Path) -> list[str]:
    """Return a line for every file that is missing, altered or unreadable, and for an altered seal.

    Files that were added after the run (a figure drawn later) break nothing; the caller may list them with `added`.
    """
    path = folder / NAME
    if not path.is_file():
        return [f"{NAME} is missing: the run was not finished, or the file was taken away"]
    try:
        files = dict(json.loads(path.read_text())["files"])
        altered = path.read_text() != _text(files)
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError, ValueError):
        return [f"{NAME} was altered: it cannot be read"]
    found = [f"{NAME} was altered"] if altered else []
    for name, digest in files.items():
        if not (folder / name).is_file():
            found.append(f"{name} is missing")
        elif file_hash(folder / name) != digest:
            found.append(f"{name} was altered")
    return found


def added(folder: Path) -> list[str]:
    """Names of files that the seal does not know."""
    path = folder / NAME
    known = json.loads(path.read_text())["files"] if path.is_file() else {}
    return [name for p in sealed_files(folder) if (name := p.relative_to(folder).as_posix()) not in known]


def _text(files: dict[str, str]) -> str:
    listed = json.dumps(files, indent=1, sort_keys=True)
    return json.dumps({"files": files, "sha256": hashlib.sha256(listed.encode()).hexdigest()}, indent=1, sort_keys=True)

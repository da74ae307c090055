"""The results file: everything measured, on what, and how to do it again."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from kvratio.problem.errors import BadParameter, UnknownName

KIND = "kvratio gpu results"
#: raised when the meaning of an entry changes
VERSION = 1


def blank(about: dict[str, Any], plan: dict[str, Any]) -> dict[str, Any]:
    """Return a results file without results.

    Parameters
    ----------
    about : dict
        Device, driver, versions, clocks.
    plan : dict
        What was asked for; `gpu_validate.study.Study.from_dict` reads it.
    """
    lists: dict[str, list[str]] = {"skipped": [], "failures": []}
    return {"kind": KIND, "version": VERSION, "about": about, "plan": plan, "models": {}, **lists}


def save(results: dict[str, Any], path: str | Path) -> Path:
    """Write a results file; it is there whole or not at all, so that a killed run leaves the last one."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".part")
    draft.write_text(json.dumps(plain(results), separators=(",", ":")) + "\n")
    draft.replace(path)
    return path


def load(path: str | Path) -> dict[str, Any]:
    """Read a results file."""
    path = Path(path)
    if not path.is_file():
        raise UnknownName(f"{path}: there is no such file: give the results.json of an earlier run")
    try:
        data = json.loads(path.read_text())
        if data["kind"] != KIND or data["version"] != VERSION:
            raise KeyError(f"kind {data['kind']!r}, version {data['version']!r}")
    except (KeyError, TypeError, json.JSONDecodeError, UnicodeDecodeError) as fault:
        raise BadParameter(f"{path} is not a results file of this version ({type(fault).__name__}: {fault})") from fault
    found: dict[str, Any] = data
    return found


def plain(value: Any) -> Any:
    """Turn what Python and NumPy know into what JSON knows; numbers that JSON lacks become null."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value

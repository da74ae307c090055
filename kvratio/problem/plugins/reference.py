"""How a plug-in is named: ``file.py``, ``file.py:name``, ``module:name``, or the name of an installed entry point."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

#: entry point groups of the three kinds of plug-ins
GROUPS = {"policy": "kvratio.policies", "family": "kvratio.families", "bound": "kvratio.bounds"}

_FILE = re.compile(r"^(?P<file>.*?\.py)(?::(?P<name>[A-Za-z_]\w*))?$")
_MODULE = re.compile(r"^(?P<module>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*):(?P<name>[A-Za-z_]\w*)$")


@dataclass(frozen=True)
class Reference:
    """Where a plug-in is.

    Parameters
    ----------
    text : str
        As it was written.
    file : str
        Absolute path of the file, or empty.
    module : str
        Dotted name of an importable module, or empty.
    name : str
        Id or variable of the card; empty: the only one there is.
    """

    text: str
    file: str = ""
    module: str = ""
    name: str = ""


def is_reference(text: object) -> bool:
    """Whether a name is written as a file or as ``module:name``; an entry point looks like any other id."""
    if isinstance(text, os.PathLike):
        return True
    return isinstance(text, str) and bool(_FILE.match(text) or _MODULE.match(text))


def read_reference(text: str | os.PathLike[str], folder: str | Path | None = None) -> Reference | None:
    """Return where a plug-in is, or None for a plain id.

    Parameters
    ----------
    text : str or path
    folder : path, optional
        Relative files are taken from here; default: the current folder.
    """
    if isinstance(text, os.PathLike):
        text = os.fspath(text)
    if match := _FILE.match(text):
        file = Path(folder or ".", Path(match["file"]).expanduser()).resolve()
        return Reference(text, file=str(file), name=match["name"] or "")
    if match := _MODULE.match(text):
        return Reference(text, module=match["module"], name=match["name"])
    return None


__all__ = ["GROUPS", "Reference", "is_reference", "read_reference"]

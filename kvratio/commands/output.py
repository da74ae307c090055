"""How verbs speak: results on stdout, everything else on stderr."""

from __future__ import annotations

import json
import math
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

#: width of tables that go to a file or a pipe
PLAIN_WIDTH = 120


def console() -> Console:
    """Return a console on stdout: as wide as the terminal, or `PLAIN_WIDTH` where there is none."""
    import os

    from rich.console import Console

    if sys.stdout.isatty() or "COLUMNS" in os.environ:
        return Console(highlight=False, emoji=False)
    return Console(highlight=False, emoji=False, width=PLAIN_WIDTH)


def say(text: str) -> None:
    """Print one line on stderr."""
    print(text, file=sys.stderr)


def print_json(data: Any) -> None:
    """Print JSON on stdout; numbers that JSON lacks become null."""
    print(json.dumps(_jsonable(data), indent=1))


def _jsonable(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _jsonable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_jsonable(item) for item in value]
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    return str(value)

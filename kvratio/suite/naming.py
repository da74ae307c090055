"""How a policy, a family or a trace is written on one line: ``id`` or ``id:key=value,key=value``."""

from __future__ import annotations

import ast
import difflib
import json
import re
import shlex
from collections.abc import Iterable, Mapping
from typing import Any

from kvratio.problem.errors import BadParameter
from kvratio.problem.plugins import module_file

_WORDS = {"true": True, "false": False, "none": None, "null": None}
#: file.py and file.py:name, then module:name, each with parameters or without
_OWN = re.compile(r"^(.*?\.py(?::[A-Za-z_]\w*(?=:|$))?|[A-Za-z_][\w.]*:[A-Za-z_]\w*(?=:|$))(?::(.*))?$", re.DOTALL)
_OPENING, _CLOSING = "([{", ")]}"


def parse_name(text: str) -> tuple[str, dict[str, Any]]:
    """Split ``"gsa:alpha=2,regime=large"`` into its id and its parameters.

    Parameters
    ----------
    text : str
        An id, optionally followed by ``:`` and ``key=value`` pairs; a value is a Python literal, one of
        true, false, none, or else a plain word.

    Returns
    -------
    tuple of (str, dict)

    Raises
    ------
    BadParameter
        A pair without ``=``, or a key given twice.
    """
    # A card of one's own is named file.py, file.py:name or module:name, so that such a colon belongs to the name.
    own = _OWN.match(text.strip())
    if own is not None and ".py" not in own[1] and module_file(own[1].partition(":")[0]) is None:
        own = None  # no module of that name: a parameter without its value
    name, rest = (own[1], own[2] or "") if own else text.strip().partition(":")[::2]
    parameters: dict[str, Any] = {}
    for pair in _split_top_level(rest):
        key, equals, value = pair.partition("=")
        key = key.strip()
        if not equals or not key:
            raise BadParameter(f"{text!r}: {pair!r} is not key=value; write for example gsa:alpha=2,tau0=1")
        if key in parameters:
            raise BadParameter(f"{text!r}: {key} is given twice")
        parameters[key] = parse_value(value.strip())
    return name.strip(), parameters


def parse_value(text: str) -> Any:
    """Read one value: a Python literal, true, false, none, or a plain word."""
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def format_name(name: str, parameters: Mapping[str, Any]) -> str:
    """Write an id and its parameters so that `parse_name` reads them back."""
    if not parameters:
        return name
    return f"{name}:" + ",".join(f"{key}={format_value(value)}" for key, value in parameters.items())


def format_value(value: Any) -> str:
    """Write one value without blanks, as `parse_value` reads it."""
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return f"{value:.1f}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(format_value(item) for item in value) + "]"
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{str(key)!r}:{_inner(item)}" for key, item in value.items()) + "}"
    return str(value)


def _inner(value: Any) -> str:
    """Write a value inside a mapping, where words need their quotes."""
    return repr(value) if isinstance(value, str) else format_value(value)


def shell_word(text: str) -> str:
    """Quote a word for the shell only where it needs it."""
    return shlex.quote(text)


def nearest(word: str, known: Iterable[str]) -> str:
    """End a message about an unknown word: the nearest one known, or what there is to choose from."""
    known = list(known)
    close = difflib.get_close_matches(word, known, n=1)
    listed = ", ".join(known) if len(known) <= 12 else ", ".join(known[:12]) + ", .."
    return f": did you mean {close[0]!r}?" if close else f": choose from {listed}" if known else ": it takes none"


def canonical(parameters: Mapping[str, Any]) -> str:
    """Write parameters as JSON with sorted keys: equal parameters, equal text."""
    return json.dumps(dict(parameters), sort_keys=True, separators=(",", ":"), default=str)


def _split_top_level(text: str) -> list[str]:
    """Split at commas that are not inside brackets."""
    parts, depth, current = [], 0, ""
    for char in text:
        depth += (char in _OPENING) - (char in _CLOSING)
        if char == "," and depth == 0:
            parts.append(current)
            current = ""
        else:
            current += char
    parts.append(current)
    return [part for part in (p.strip() for p in parts) if part]

"""The lengths of a capacity question, from words: a trace, a fitted family, named distributions, a file, or a mix."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kvratio.problem.errors import BadParameter, TraceError, UnknownName
from stability.capacity import Independent, Joint, Mixed, as_lengths, distribution
from stability.capacity.lengths import Lengths

if TYPE_CHECKING:
    import pandas as pd

#: what a file of lengths may call its columns
PROMPT, OUTPUT, WEIGHT = ("prompt", "prompt_tokens"), ("output", "output_tokens"), ("weight", "share", "count")


@dataclass(frozen=True, eq=False)
class Source:
    """Who arrives, as a command line names it.

    Attributes
    ----------
    name : str
        For people.
    lengths : Joint, Independent or Mixed
    note : str
        What was left out or drawn, one line; empty if nothing.
    """

    name: str
    lengths: Lengths
    note: str = ""


def open_source(
    trace: str | None,
    prompt: str | None,
    output: str | None,
    file: Path | None,
    mix: Sequence[str],
    memory: int,
    count: int,
    seed: int,
) -> Source:
    """Return the lengths that exactly one of the ways names.

    Parameters
    ----------
    trace : str, optional
        A path, a name below ``KVRATIO_TRACES``, or a fitted family such as ``azure_conv_like``.
    prompt, output : str, optional
        Distributions, drawn independently.
    file : Path, optional
        CSV with columns prompt and output, and weight if there is one.
    mix : sequence of str
        ``SHARE TRACE`` or ``SHARE PROMPT OUTPUT``, with blanks between.
    memory : int
        M: larger requests of a trace are left out and counted.
    count, seed : int
        Of the draw from a fitted family.

    Raises
    ------
    BadParameter, UnknownName, TraceError
    """
    ways = {"a trace": trace, "--prompt and --output": prompt or output, "--lengths": file, "--mix": mix or None}
    given = [name for name, value in ways.items() if value is not None]
    if len(given) != 1:
        told = " and ".join(given) if given else "nothing"
        raise BadParameter(f"{told} given: name exactly one of {', '.join(ways)}")
    if trace is not None:
        return _named(trace, memory, count, seed)
    if file is not None:
        return Source(str(file), read_lengths(file))
    if mix:
        return _mixed(mix, memory, count, seed)
    if prompt is None or output is None:
        raise BadParameter(f"--{'prompt' if prompt is None else 'output'} is missing: give both distributions")
    return _drawn(prompt, output)


def read_lengths(file: Path) -> Joint:
    """Return the requests of a CSV file with columns prompt and output, and weight if there is one.

    Raises
    ------
    BadParameter
        No such columns, no rows, or a value that is no number.
    """
    import pandas as pd

    try:
        table = pd.read_csv(file)
    except (pd.errors.EmptyDataError, pd.errors.ParserError, UnicodeDecodeError) as fault:
        raise BadParameter(f"{file}: not a CSV file of lengths ({' '.join(str(fault).split())})") from None
    columns: list[Any] = [_column(table, names, file) for names in (PROMPT, OUTPUT)]
    weights = [name for name in WEIGHT if name in table]
    if weights:
        columns.append(table[weights[0]].to_numpy())
    if not len(table):
        raise BadParameter(f"{file}: no rows under the header: give one request per row")
    try:
        return Joint(*columns, name=file.name)
    except BadParameter as fault:
        raise BadParameter(f"{file}: {fault}") from None


def _column(table: pd.DataFrame, names: Sequence[str], file: Path) -> Any:
    found = [name for name in names if name in table]
    if not found:
        have = ", ".join(map(str, table.columns))
        raise BadParameter(f"{file}: no column {' or '.join(names)} among {have}: give prompt,output[,weight]")
    return table[found[0]].to_numpy()


def _drawn(prompt: str, output: str) -> Source:
    name = f"prompts {prompt}, outputs {output}, independent"
    return Source(name, Independent(distribution(prompt), distribution(output), name))


def _named(name: str, memory: int, count: int, seed: int) -> Source:
    from instances.traces.fitted import FITTED, draw, published
    from instances.traces.loader import load_trace

    if name in FITTED:
        inst = draw(name, count, memory, published(name).rate, seed)
        note = f"{count} requests drawn from fitted quantiles, seed {seed}"
        cut = inst.info["clipped"]
        return Source(name, as_lengths(inst), note + (f"; {cut} were cut to the memory" if cut else ""))
    try:
        inst = load_trace(name, memory)
    except TraceError as fault:
        near = difflib.get_close_matches(name, FITTED, n=1)
        hint = f"; did you mean {near[0]}?" if near else f"; without traces take one of {', '.join(FITTED)}"
        raise UnknownName(f"{fault}{hint}") from None if not Path(name).exists() else fault
    told = inst.info["trace"]
    left = [f"{told[key]} {text}" for key, text in _LEFT.items() if told[key]]
    note = f"{told['requests']} request{'' if told['requests'] == 1 else 's'}" + (
        f"; left out: {', '.join(left)}" if left else ""
    )
    return Source(inst.name, as_lengths(inst), note)


#: rules of the trace loader that leave requests out, and what to call these
_LEFT = {"too_large": "larger than the memory", "zero_output": "without output"}


def _mixed(rows: Sequence[str], memory: int, count: int, seed: int) -> Source:
    parts, shares, notes = [], [], []
    for row in rows:
        words = row.split()
        if len(words) not in (2, 3):
            raise BadParameter(f"--mix {row!r}: write 'SHARE TRACE' or 'SHARE PROMPT OUTPUT' with blanks between")
        try:
            shares.append(float(words[0]))
        except ValueError:
            raise BadParameter(f"--mix {row!r}: {words[0]!r} is no share of the requests") from None
        part = _named(words[1], memory, count, seed) if len(words) == 2 else _drawn(words[1], words[2])
        parts.append(part.lengths)
        notes += [f"{part.name}: {part.note}"] if part.note else []
    if abs(sum(shares) - 1) > 1e-9:
        raise BadParameter(f"--mix: the shares sum to {sum(shares):g}: give shares of the requests, of sum 1")
    name = " + ".join(f"{share:g} x ({' '.join(row.split()[1:])})" for share, row in zip(shares, rows, strict=True))
    return Source(name, Mixed(tuple(parts), np.array(shares), name), "; ".join(notes))

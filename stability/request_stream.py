"""Streams of requests for the simulators: lengths drawn from a law, classes in an order, arrivals, and checks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from kvratio.problem.errors import BadParameter
from kvratio.problem.seeds import stream
from stability.capacity.lengths import Lengths, as_lengths
from stability.congestion.classes import Classes, classes_of
from stability.whole_requests import FloatArray, IntArray

#: requests drawn at a time: the stream of a seed does not depend on how much of it is asked for
BLOCK = 4096
ORDERS = ("rotation", "random")


def law_of(lengths: Any) -> Lengths:
    """Return the law of prompt and output behind what a caller gave; single numbers are a law too.

    Raises
    ------
    BadParameter
        As `stability.capacity.as_lengths`.
    """
    if isinstance(lengths, (tuple, list)) and all(np.ndim(column) == 0 for column in lengths):
        lengths = tuple(np.atleast_1d(column) for column in lengths)
    return as_lengths(lengths)


def requests_of(law: Lengths, n: int, *names: str | int) -> tuple[IntArray, IntArray]:
    """Return the first n requests of the stream that belongs to ``names``, int64[n] each.

    Raises
    ------
    BadParameter
        Lengths that are not whole, or an output of 0.
    """
    rng, parts = stream(*names), []
    for _ in range(-(-n // BLOCK)):
        prompt, output = law.draw(BLOCK, rng)
        # A law of several parts draws them one after another.
        at = rng.permutation(BLOCK)
        parts.append((np.asarray(prompt)[at], np.asarray(output)[at]))
    columns = []
    for k, (name, low) in enumerate((("prompt", 0), ("output", 1))):
        column = np.concatenate([part[k] for part in parts])[:n]
        if (column != np.floor(column)).any() or (column < low).any():
            raise BadParameter(f"{name}: {column.min():g} .. {column.max():g} tokens: give whole numbers from {low} on")
        columns.append(column.astype(np.int64))
    return columns[0], columns[1]


# -- classes ------------------------------------------------------------------------------------------------------
def whole_classes(prompt: Any, decode: Any, shares: Any) -> tuple[IntArray, Classes]:
    """Return prompts in whole tokens, int64[K], and the classes; those with share 0 are left out.

    Raises
    ------
    BadParameter
        As `stability.congestion.classes.classes_of`, and for a prompt that is not whole.
    """
    classes = classes_of(prompt, decode, shares)
    if (classes.prompt != np.floor(classes.prompt)).any():
        raise BadParameter(f"prompts {classes.prompt.tolist()}: give whole tokens, requests are not divided here")
    return classes.prompt.astype(np.int64), classes


def class_order(shares: FloatArray, n: int, order: str, *names: str | int) -> IntArray:
    """Return the class of each of n admissions, int64[n]: in rotation by shares, or drawn.

    In rotation, the j-th admission of class k is due at (j + 1/2) / p_k; ties go to the first class.
    """
    if order not in ORDERS:
        raise BadParameter(f"order is {order!r}: choose one of {', '.join(ORDERS)}")
    if order == "random":
        return np.asarray(stream(*names).choice(len(shares), n, p=shares), np.int64)
    counts = [math.ceil(n * p) + 2 for p in shares]
    due = np.concatenate([(np.arange(count) + 0.5) / p for count, p in zip(counts, shares, strict=True)])
    kind = np.repeat(np.arange(len(shares)), counts)
    # Equal shares give equal due times up to rounding; the rounding must not decide.
    return kind[np.lexsort((kind, np.round(due, 9)))][:n].astype(np.int64)


# -- checks -------------------------------------------------------------------------------------------------------
def whole(name: str, value: Any, low: int) -> int:
    """Return a whole number of at least ``low``."""
    number = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or value != math.floor(value) or value < low or value >= 2**53:
        raise BadParameter(f"{name} is {value!r}: give a whole number, {low} or more")
    return int(value)


def budget(memory: Any, longest: int, least: str) -> int:
    """Return M in whole tokens; every request must fit when it is alone."""
    number = isinstance(memory, (int, float, np.integer, np.floating)) and not isinstance(memory, bool)
    if not number or not math.isfinite(memory) or not 1 <= memory < 2**53:
        raise BadParameter(f"memory is {memory!r}: give a positive number of tokens")
    if longest > memory:
        raise BadParameter(
            f"a request grows to {longest} tokens and memory is {memory:g}: it can never finish; leave out requests "
            f"with {least} beyond memory, or give more memory"
        )
    return math.floor(memory)


def bucket(cap: Any, burst: Any) -> tuple[float, float]:
    """Return rate and burst of the token bucket of admissions; an infinite cap is none."""
    for name, value in (("cap", cap), ("burst", burst)):
        number = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
        if not number or math.isnan(value) or value < 0 or (name == "cap" and value == 0):
            raise BadParameter(f"{name} is {value!r}: give admissions per iteration, above 0")
    return float(cap), float(burst)


def one_of(name: str, value: Any, known: Sequence[str]) -> int:
    """Return the place of a word in a list of known ones."""
    if value not in known:
        raise BadParameter(f"{name} is {value!r}: choose one of {', '.join(known)}")
    return known.index(value)


def arrivals_of(rate: Any, slots: int, backlog: Any, *names: str | int) -> IntArray:
    """Return Poisson arrivals of each slot, int64[slots], with a backlog in the first."""
    if isinstance(rate, bool) or not isinstance(rate, (int, float, np.number)) or not 0 <= rate < 2**31:
        raise BadParameter(f"rate is {rate!r}: give requests per iteration, 0 or more")
    counts = stream(*names).poisson(float(rate), slots).astype(np.int64)
    if slots:
        counts[0] += whole("backlog", backlog, 0)
    return counts

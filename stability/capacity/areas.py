"""The area of a request: the sum of the memory footprints that it has over its slots, in token-slots.

Chunks of c prompt tokens come in first, so that the footprint is c, 2c, ..., s; then each of the o output tokens adds
one. Two forms are in use: the closed one of arXiv 2605.04595, with s/c taken as a real number, and the exact one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from kvratio.problem.errors import BadParameter
from stability.capacity.checks import FloatArray, chunk_tokens, tokens


def area(prompt: npt.ArrayLike, output: npt.ArrayLike, chunk: float = 512, exact: bool = False) -> Any:
    """Return the area of requests in token-slots.

    Parameters
    ----------
    prompt, output : array of numbers, any shapes that broadcast
        Tokens s >= 0 and o >= 0.
    chunk : int
        Prompt tokens c that one slot reads, >= 1.
    exact : bool
        True: whole chunks, ``c n(n-1)/2 + s + o s + o(o+1)/2`` with ``n = ceil(s/c)``. False: the closed form
        ``[s(1 + s/c) + 2 o s + o(o+1)] / 2`` of arXiv 2605.04595, which its tables use.

    Returns
    -------
    float or float64 array
        A float for single numbers, else an array of the broadcast shape.

    Raises
    ------
    BadParameter
        Negative or non-finite tokens, a chunk below 1, shapes that do not broadcast.

    Notes
    -----
    Both agree where c divides s. Otherwise, with ``s = c(n-1+f)`` and 0 < f < 1 (derived),
    ``exact - closed = (c/2)(1-f)(2(n-1)+f)``. A chunk >= s gives the closed form less than s for the prompt: use the
    exact form where prompts are read whole.
    """
    s, o, c = tokens("prompt", prompt), tokens("output", output), chunk_tokens(chunk)
    try:
        found = prefill_area(s, c, exact) + decode_area(s, o)
    except ValueError:
        raise BadParameter(f"prompt has shape {s.shape} and output {o.shape}: give one of each per request") from None
    return float(found) if np.ndim(found) == 0 else found


def prefill_area(prompt: FloatArray, chunk: float, exact: bool) -> FloatArray:
    """Return the part of the area that lies in the slots that read the prompt, token-slots."""
    if not exact:
        return prompt * (1 + prompt / chunk) / 2
    n = chunks(prompt, chunk)
    return chunk * n * (n - 1) / 2 + prompt


def decode_area(prompt: FloatArray, output: FloatArray) -> FloatArray:
    """Return the part of the area that lies in the slots that emit tokens, ``o s + o(o+1)/2`` token-slots."""
    return output * prompt + output * (output + 1) / 2


def chunks(prompt: FloatArray, chunk: float) -> FloatArray:
    """Return the slots that read the prompt, ``ceil(s/c)``."""
    return np.ceil(prompt / chunk)


def remaining_area(
    prompt: npt.ArrayLike,
    output: npt.ArrayLike,
    chunks_done: npt.ArrayLike,
    tokens_done: npt.ArrayLike,
    chunk: float = 512,
) -> Any:
    """Return what is left of the exact area after u chunks and v tokens, in token-slots.

    Parameters
    ----------
    prompt, output : array of numbers
        Tokens s >= 0 and o >= 0.
    chunks_done : array of numbers
        Chunks u that are in memory, whole, 0 to ``ceil(s/c)``.
    tokens_done : array of numbers
        Output tokens v that were emitted, whole, 0 to o.
    chunk : int
        Prompt tokens c that one slot reads, >= 1.

    Returns
    -------
    float or float64 array
        ``sum_{j=u+1..n} min(jc, s) + sum_{j=v+1..o} (s+j)``: the footprints to come. With u = v = 0 the exact area.

    Raises
    ------
    BadParameter
        As for `area`, and for progress beyond the request.
    """
    s, o, c = tokens("prompt", prompt), tokens("output", output), chunk_tokens(chunk)
    u, v = tokens("chunks_done", chunks_done), tokens("tokens_done", tokens_done)
    try:
        s, o, u, v = np.broadcast_arrays(s, o, u, v)
    except ValueError:
        raise BadParameter("prompt, output, chunks_done and tokens_done have shapes that do not go together") from None
    n = chunks(s, c)
    _progress("chunks_done", u, n, "chunks of the prompt")
    _progress("tokens_done", v, o, "tokens of the output")
    # All chunks but the last are whole; j c summed over j = u+1 .. n-1.
    reading = np.where(u < n, c * (n - 1 - u) * (n + u) / 2 + s, 0.0)
    found = reading + (o - v) * s + (o * (o + 1) - v * (v + 1)) / 2
    return float(found) if np.ndim(found) == 0 else found


def _progress(name: str, done: FloatArray, whole: FloatArray, what: str) -> None:
    bad = np.flatnonzero((done > whole) | (done != np.floor(done)))
    if bad.size:
        at = int(bad[0])
        raise BadParameter(
            f"{name}: entry {at} is {done.ravel()[at]:g} of {whole.ravel()[at]:g} {what}: "
            "give a whole number up to that"
        )

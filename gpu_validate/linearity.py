"""Where measured iterations leave the straight line, in words."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

#: a group of cells is told of where its middle residual is larger
NOTICEABLE = 0.10
#: fewest cells that make a group
LEAST = 3


def departures(batch: FloatArray, cached: FloatArray, prompt: FloatArray, residual: FloatArray) -> tuple[str, ...]:
    """Return one line for each group of cells whose middle residual is beyond `NOTICEABLE`, and one for the largest.

    Groups are cells of one batch size without prompts, thirds of the cells by key-value tokens, and cells of one number
    of prompt tokens.

    Parameters
    ----------
    batch, cached, prompt : float64[cells]
        Decodes, K and P.
    residual : float64[cells]
        Measured over fitted seconds, less 1.
    """
    lines = []
    decodes = prompt == 0
    for size in np.unique(batch[decodes]):
        lines += _line(f"batches of {size:g} without prompts", residual[decodes & (batch == size)])
    ends = np.quantile(cached, [1 / 3, 2 / 3])
    low, high = cached <= ends[0], cached > ends[1]
    lines += _line(f"K up to {ends[0]:g} tokens", residual[low])
    lines += _line(f"K between {ends[0]:g} and {ends[1]:g} tokens", residual[~low & ~high])
    lines += _line(f"K above {ends[1]:g} tokens", residual[high])
    for size in np.unique(prompt[~decodes]):
        lines += _line(f"iterations with {size:g} prompt tokens", residual[prompt == size])
    worst = int(np.argmax(np.abs(residual)))
    if abs(residual[worst]) > NOTICEABLE:
        lines.append(
            f"the largest departure is {residual[worst]:+.0%}, at {batch[worst]:g} decodes, K = {cached[worst]:g}, "
            f"P = {prompt[worst]:g}"
        )
    return tuple(lines)


def _line(group: str, residual: FloatArray) -> list[str]:
    if len(residual) < LEAST or abs(middle := float(np.median(residual))) <= NOTICEABLE:
        return []
    side = "longer" if middle > 0 else "shorter"
    return [f"{group} take {abs(middle):.0%} {side} than the line says (median of {len(residual)} cells)"]

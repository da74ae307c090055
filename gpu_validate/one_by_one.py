"""The judge of a replay's tokens: the library's own greedy generation, one request after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from gpu_validate import libraries
from kvratio.problem.instance import IntArray


class Difference(NamedTuple):
    """The first token of a request that differs.

    Attributes
    ----------
    request, place : int
        Token number ``place`` of its output, from 0.
    replayed, wanted : int
    gap : float
        Score of the wanted token less the score of the replayed one, one by one: rounding decides below about 1e-5 of
        the scores' size in float32, and below about a hundredth of it in bfloat16.
    """

    request: int
    place: int
    replayed: int
    wanted: int
    gap: float


def generate(model: Any, prompts: Sequence[Sequence[int]], outputs: Sequence[int]) -> list[IntArray]:
    """Return what ``model.generate`` writes for each request alone, greedily, exactly ``outputs`` tokens.

    Parameters
    ----------
    model
        With its own attention (no executor open).
    prompts : sequence of sequences of int
    outputs : sequence of int
    """
    torch = libraries.torch()
    device = next(model.parameters()).device
    found = []
    for prompt, count in zip(prompts, outputs, strict=True):
        ids = torch.tensor([list(prompt)], device=device)
        with torch.inference_mode():
            text = model.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=int(count),
                min_new_tokens=int(count),
                do_sample=False,
                pad_token_id=0,
            )
        found.append(text[0, len(prompt) :].cpu().numpy())
    return found


def differences(
    model: Any, prompts: Sequence[Sequence[int]], replayed: Sequence[IntArray], wanted: Sequence[IntArray]
) -> list[Difference]:
    """Return the first difference of each request whose tokens are not the same, with the gap of the scores there."""
    torch = libraries.torch()
    device = next(model.parameters()).device
    found = []
    for request, (mine, theirs) in enumerate(zip(replayed, wanted, strict=True)):
        unequal = np.flatnonzero(mine != theirs)
        if not unequal.size:
            continue
        place = int(unequal[0])
        text = [*prompts[request], *theirs[:place].tolist()]
        with torch.inference_mode():
            scores = model(input_ids=torch.tensor([text], device=device), use_cache=False).logits[0, -1].double()
        gap = float(scores[int(theirs[place])] - scores[int(mine[place])])
        found.append(Difference(request, place, int(mine[place]), int(theirs[place]), gap))
    return found

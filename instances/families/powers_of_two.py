"""Outputs that are powers of two, drawn or made from another instance."""

from typing import Any

import numpy as np

from instances.card import REQUIRED, FamilyCard, Parameter
from instances.construction import Construction, Setting, declare
from instances.drawing import LONGEST, OUTPUT_LAW, PROMPT, clipped_lognormal, must_fit, shortest_or_smallest
from instances.wrapping import base_instance, wrapped
from kvratio.problem.errors import BadParameter
from kvratio.problem.instance import Instance, IntArray

CARD = FamilyCard(
    id="powers_of_two",
    title="outputs rounded up to powers of two",
    group="random",
    parameters=(
        Parameter("count", None, "n requests; needed without base", low=1),
        Parameter("memory", None, "memory M (tokens); needed without base", low=1),
        Parameter("prompt", None, "prompt s of all requests (tokens); needed without base", "any"),
        Parameter("scales", REQUIRED, "K: outputs are at most 2^K", low=0, high=60),
        Parameter("base", None, "an instance or a family whose outputs are rounded, in place of drawn ones", "base"),
    ),
    source="the experiments of Feng, Yang, Zhang, 'Competitive Non-Clairvoyant KV-Cache Scheduling for LLM Inference', "
    "arXiv 2601.22996, round up the same way",
    about="Outputs of the family lognormal, rounded up to a power of two, at most 2^K; with base: those of the base, "
    "and count, memory, prompt and further parameters go to the base.",
)


def round_up(output: IntArray, scales: int) -> IntArray:
    """Return the smallest power of two >= each output, at most 2^scales."""
    exponent = np.ceil(np.log2(output)).astype(np.int64)
    exponent += (np.int64(1) << exponent) < output  # guards against a logarithm rounded down
    return np.int64(1) << np.minimum(exponent, scales)


@declare(CARD)
def powers_of_two(
    setting: Setting, scales: int, base: Any, count: int | None, memory: int | None, prompt: Any
) -> Construction:
    """Draw outputs and round them, or round those of a base instance."""
    if base is not None:
        given = {"count": count, "memory": memory, "prompt": prompt}
        inst = base_instance(setting, base, given={name: value for name, value in given.items() if value is not None})
        changed = inst.replace(output=round_up(inst.output, scales), witness=None)
        return wrapped(setting, changed, inst, witness=shortest_or_smallest)
    if setting.base_parameters:
        raise BadParameter(f"powers_of_two has no parameter {next(iter(setting.base_parameters))!r} without base")
    if setting.probe is not None:
        raise BadParameter("powers_of_two is not adaptive: leave policy out")
    if count is None or memory is None or prompt is None:
        raise BadParameter("powers_of_two needs count, memory and prompt, or base")
    s = PROMPT.read(prompt, CARD.id)
    must_fit(CARD.id, s, int(round_up(np.array([LONGEST]), scales)[0]), memory)
    output = round_up(clipped_lognormal(setting.rng(), OUTPUT_LAW, count), scales)
    return Construction(Instance(prompt=np.full(count, s), output=output, memory=memory), witness=shortest_or_smallest)

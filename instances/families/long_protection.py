"""H: long requests first in line are protected one by one while a crowd of one-token requests waits."""

from instances.card import FamilyCard, Parameter
from instances.construction import Construction, Setting, declare, requests
from instances.list_greedy import flow_of, list_greedy
from kvratio.problem.errors import BadParameter

CARD = FamilyCard(
    id="long_protection",
    letter="H",
    title="two lengths with equal prompts, long ones first",
    target="fcfs, and non-clairvoyant policies that protect what has run long",
    effect="hurts",
    orders=True,
    parameters=(
        Parameter("prompt", 96, "prompt s of all (tokens)", low=0),
        Parameter("memory", 256, "memory M (tokens), with 2(s+L) > M >= 2(s+1)", low=2),
        Parameter("long", 6, "k long requests", low=1),
        Parameter("long_output", 160, "their output L (tokens)", low=2),
        Parameter("short", 194, "N requests of output 1", low=1),
    ),
    ratio_text="k L N / (N^2/(2r) + k^2 L/2 + k N/r), r = floor(M/(s+1))",
    source="Feng, Yang, Zhang, 'Competitive Non-Clairvoyant KV-Cache Scheduling for LLM Inference', arXiv 2601.22996",
    about="Two long requests never fit together, two short ones do. A policy that finishes the long ones in order "
    "makes every short one wait k L rounds; the witness is shortest first.",
)


@declare(CARD)
def long_protection(
    setting: Setting, prompt: int, memory: int, long: int, long_output: int, short: int
) -> Construction:
    """Build the long requests, then the short ones."""
    if not 2 * (prompt + long_output) > memory >= 2 * (prompt + 1):
        raise BadParameter(
            f"long_protection: memory is {memory}: it must be in [2(s+1), 2(s+L)) = "
            f"[{2 * (prompt + 1)}, {2 * (prompt + long_output)})"
        )
    return Construction(
        requests(memory, (long, 0, prompt, long_output), (short, 0, prompt, 1)),
        witness=lambda inst: list_greedy(inst, "mc_sf"),
        forced_cost=lambda inst: flow_of(inst, list_greedy(inst, "fcfs")),
    )

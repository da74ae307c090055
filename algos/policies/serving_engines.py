"""Rules of serving engines in unit rounds (sarathi, faster_transformer, lightllm).

They are the policies of `algos.serving` under a clock of one round (`algos.serving.rounds`); docs/policies.md 8.1.
"""

from __future__ import annotations

from typing import Any

from algos.card import Card, Parameter
from algos.papers import AGRAWAL, AGRAWAL_VIDUR
from algos.policies.serving_rules import PAUSED, RESTART, Settings, served
from algos.serving.policies import lookahead, reserving, sarathi
from algos.serving.rounds import Plan, ServedInRounds
from kvratio.problem.instance import Instance
from kvratio.problem.requests import Requests


def resolve_longest(inst: Instance, settings: dict[str, Any]) -> dict[str, Any]:
    """Fill in the limit on output tokens: the largest clamped prediction, which is public."""
    if settings["max_tokens"] is None:
        settings["max_tokens"] = int(inst.clamp(inst.predicted).max())
    return settings


def resolve_sarathi(inst: Instance, settings: dict[str, Any]) -> dict[str, Any]:
    """Fill in the token budget: the memory, which no iteration can exceed."""
    if settings["token_budget"] is None:
        settings["token_budget"] = inst.memory
    return settings


def plan_sarathi(inst: Instance, settings: Settings) -> Plan:
    """Let requests decode one by one only where the budget can keep some of them from it."""
    # Residents hold a token each, so they are no more than M.
    most = inst.memory if settings["max_batch"] is None else min(settings["max_batch"], inst.memory)
    return Plan(Requests.of_rounds(inst), settings, together=most <= settings["token_budget"])


def plan_longest(inst: Instance, settings: Settings) -> Plan:
    """A limit of m output tokens is one of m-1 decodes."""
    return Plan(Requests.of_rounds(inst), {**settings, "max_tokens": settings["max_tokens"] - 1})


MAX_BATCH = Parameter(
    "max_batch", None, "most requests that hold memory together; none: no limit", low=1, high=2**53, whole=True
)
MAX_TOKENS = Parameter(
    "max_tokens",
    None,
    "limit on output tokens; none: the largest prediction, taken as public",
    low=1,
    high=2**53,
    whole=True,
)

CARDS = (
    Card(
        id="sarathi",
        title="Sarathi in unit rounds",
        information="none",
        evicts="on overflow, the newest",
        about="A budget of tokens for each round: one for every running request, oldest first, the rest for prompts, "
        "in chunks. A prompt that takes several rounds holds its memory meanwhile." + PAUSED,
        reference="2403.02310",
        source=AGRAWAL,
        parameters=(
            MAX_BATCH,
            Parameter("watermark", 0.01, "share of the memory that a start must leave free", low=0.0, high=1.0),
            Parameter(
                "token_budget",
                None,
                "most tokens computed in a round; none: M, which never binds",
                low=1,
                high=2**53,
                whole=True,
            ),
        ),
        resolve=resolve_sarathi,
        run=ServedInRounds(served(sarathi, "sarathi"), plan_sarathi),
        **RESTART,
    ),
    Card(
        id="faster_transformer",
        title="FasterTransformer: whole batches",
        information="none",
        evicts="if an output exceeds the limit",
        about="Reserves memory for the limit on output tokens and starts a group only when the one before has ended "
        "to its last request.",
        reference="2405.05465",
        source=f"NVIDIA FasterTransformer, as a baseline of {AGRAWAL_VIDUR}",
        parameters=(MAX_BATCH, MAX_TOKENS),
        resolve=resolve_longest,
        run=ServedInRounds(served(reserving, "faster_transformer"), plan_longest),
        **RESTART,
    ),
    Card(
        id="lightllm",
        title="LightLLM: future peak",
        information="none",
        evicts="if an output exceeds the limit, or by a few tokens",
        about="Starts requests if the peak would fit were all to run to the limit on output tokens. Starts have rounds "
        "of their own, in which the others stand still." + PAUSED,
        reference="2405.05465",
        source=f"LightLLM, as a baseline of {AGRAWAL_VIDUR}",
        parameters=(
            MAX_BATCH,
            MAX_TOKENS,
            Parameter("prefill_every", 10, "rounds without starts between two with", low=1, high=2**53, whole=True),
        ),
        resolve=resolve_longest,
        run=ServedInRounds(served(lookahead, "lightllm"), plan_longest),
        **RESTART,
    ),
)

"""The policy under attack: what it costs on candidates, packed where it can be, one by one where it cannot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from algos.card import Card
from algos.packed import run_batch
from algos.registry import card as card_of
from algos.run import interpreted, run_schedule
from algos.timetable.run import Timetable
from kvratio.problem.errors import KvratioError
from kvratio.problem.instance import Instance
from kvratio.problem.plugins import Plugin
from kvratio.problem.schedule import Schedule
from kvratio.suite.naming import format_name, parse_name
from kvratio.suite.search.space import Block, IntArray

#: candidates that an island screens between two meetings, by how the policy is run
EPOCH = {"packed": 16_384, "prepared": 4096, "slow": 128}


@dataclass(frozen=True)
class Target:
    """A policy with its parameters, as a name or as a card.

    Parameters
    ----------
    policy : str, Card or Plugin
        ``"gsa:alpha=2"``, or a card; a name reaches worker processes in every case, a card only if it pickles.
    parameters : mapping
        Beside those in the name.
    eviction : str, optional
        Default: the card's.
    seed : int
        Of a randomised policy: the search attacks this one run of its coins.
    """

    policy: str | Card | Plugin
    parameters: Mapping[str, Any] = field(default_factory=dict)
    eviction: str | None = None
    seed: int = 0

    def __getstate__(self) -> dict[str, Any]:
        """Leave the loaded card behind: a worker loads it again, a user's from its pinned sources."""
        policy = self.policy
        if isinstance(policy, Card) and policy.origin is not None:
            policy = policy.origin
        return {"policy": policy, "parameters": dict(self.parameters), "eviction": self.eviction, "seed": self.seed}

    @cached_property
    def card(self) -> Card:
        """The policy's card."""
        return card_of(parse_name(self.policy)[0] if isinstance(self.policy, str) else self.policy)

    @cached_property
    def settings(self) -> dict[str, Any]:
        """All parameters given."""
        named = parse_name(self.policy)[1] if isinstance(self.policy, str) else {}
        return {**named, **self.parameters}

    @property
    def name(self) -> str:
        """The policy as the command line writes it."""
        stem = parse_name(self.policy)[0] if isinstance(self.policy, str) else self.card.id
        return format_name(stem, self.settings)

    @property
    def pace(self) -> str:
        """How candidates are run: ``packed``, ``prepared`` (packed, but slower) or ``slow`` (one by one)."""
        if isinstance(self.card.run, Timetable):
            return "packed"
        if self.card.decide is None or interpreted(self.card):
            return "slow"
        plain = self.card.resolve is None and self.card.scratch is None and not self.card.randomised
        return "packed" if plain else "prepared"

    @property
    def reads(self) -> str:
        """What it is told of lengths: its card's information."""
        return self.card.information

    def check(self) -> None:
        """Refuse unknown parameters and eviction semantics before anything runs."""
        self.card.check_eviction(self.eviction)
        self.card.settings(Instance(prompt=[1, 1], output=[1, 2], memory=4), self.settings)

    def schedule(self, inst: Instance) -> Schedule:
        """Run it on one instance."""
        return run_schedule(self.card, inst, self.eviction, self.seed, None, self.settings)

    def costs(self, block: Block, predicted: bool, objective: str) -> IntArray:
        """Return its cost on each candidate, int64[k]; 0 where its run failed or did not end.

        Parameters
        ----------
        block : Block
        predicted : bool
            Whether predictions of the candidates count.
        objective : {"completion", "flow"}
        """
        limit = _round_limit(block)
        if self.pace == "slow":
            return self._one_by_one(block, predicted, objective, limit)
        try:
            done = run_batch(self.card, block.batch(predicted), self.eviction, self.seed, limit, self.settings)
        except Exception:
            if not self.card.is_plugin:
                raise
            # A user's hook that fails on one candidate has no cost there; the others are still worth a look.
            return self._one_by_one(block, predicted, objective, limit)
        total = done.total_completion if objective == "completion" else done.total_flow
        return np.where(done.codes == 0, total, 0)

    def _one_by_one(self, block: Block, predicted: bool, objective: str, limit: int) -> IntArray:
        return np.array([self._cost(block.instance(k, predicted), objective, limit) for k in range(len(block))])

    def _cost(self, inst: Instance, objective: str, limit: int) -> int:
        try:
            return run_schedule(self.card, inst, self.eviction, self.seed, limit, self.settings).cost(objective)
        except KvratioError:
            # A policy that breaks on a candidate has no cost there; the search goes on with the others.
            return 0


def _round_limit(block: Block) -> int:
    """Rounds after which a run counts as failed: far beyond one request after the other, restarts included."""
    work = block.genes.shape[1] * int(block.memory.max())
    return int(block.genes[:, :, 2].max()) + 200 * work + 10_000

"""Baselines that follow serving engines with paged memory: `vllm` and `sarathi` (section 8)."""

from __future__ import annotations

from typing import ClassVar

from algos.serving.reference.machine import Batch
from algos.serving.reference.policy import AdmittingPolicy
from kvratio.problem.requests import Requests


class Vllm(AdmittingPolicy):
    """`vllm`: prefills first, in a batch of their own; otherwise everybody decodes."""

    name = "vllm"
    defaults: ClassVar = {"max_batch": 128, "watermark": 0.01, "token_budget": 4096, "padded_budget": True}
    default_eviction = "recompute"

    def prepare(self, requests: Requests) -> None:
        """Read the parameters."""
        super().prepare(requests)
        self.token_budget = self.integer("token_budget")
        self.require(isinstance(self.parameters["padded_budget"], bool), "padded_budget", "True or False")
        self.padded = self.parameters["padded_budget"]

    def passes_test(self, i: int, admitted: list[int]) -> bool:
        """Test memory, and the tokens of the prefill batch; a single longer prompt may go alone."""
        if not self.has_room(i):
            return False
        lengths = [self.machine.prefill(j) for j in [*admitted, i]]
        tokens = len(lengths) * max(lengths) if self.padded else sum(lengths)
        return tokens <= self.token_budget or not admitted

    def form(self) -> Batch:
        """Return the prefills if there are any, else everybody."""
        admitted = self.admit()
        return {i: self.machine.prefill(i) for i in admitted} if admitted else self.everyone()


class Sarathi(AdmittingPolicy):
    """`sarathi`: a budget of tokens per iteration, decodes first, prompts in chunks with the rest."""

    name = "sarathi"
    defaults: ClassVar = {"max_batch": 128, "watermark": 0.01, "token_budget": 512}
    default_eviction = "recompute"

    def prepare(self, requests: Requests) -> None:
        """Read the parameters."""
        super().prepare(requests)
        self.token_budget = self.integer("token_budget")
        self.left = 0

    def passes_test(self, i: int, admitted: list[int]) -> bool:
        """Test memory and whether any budget is left; what is taken here is taken from the budget."""
        if self.left == 0 or not self.has_room(i):
            return False
        self.left -= min(self.machine.prefill(i), self.left)
        return True

    def form(self) -> Batch:
        """Spend the budget: decodes, unfinished prefills, new ones."""
        m = self.machine
        batch: Batch = {}
        self.left = self.token_budget
        for i in [i for i in m.residents() if m.stage[i] > 0]:
            if self.left > 0:
                batch[i] = 0
                self.left -= 1
        for i in [i for i in m.residents() if m.stage[i] == 0]:
            if self.left > 0:
                batch[i] = min(m.prefill(i) - m.chunked[i], self.left)
                self.left -= batch[i]
        before = self.left
        for i in self.admit():
            batch[i] = min(m.prefill(i), before)
            before -= batch[i]
        return batch

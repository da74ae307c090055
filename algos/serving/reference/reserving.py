"""Baselines that reserve room for the longest answer: `orca`, `faster_transformer`, `lightllm` (section 8)."""

from __future__ import annotations

from typing import ClassVar

from algos.serving.reference.machine import Batch
from algos.serving.reference.policy import AdmittingPolicy
from kvratio.problem.requests import Requests


class Orca(AdmittingPolicy):
    """`orca`: every resident reserves its prompt and max_tokens; everybody runs."""

    name = "orca"
    defaults: ClassVar = {"max_batch": 128, "max_tokens": None}
    default_eviction = "recompute"
    must_cover: ClassVar[bool] = True  # whether a request may not be longer than max_tokens

    def prepare(self, requests: Requests) -> None:
        """Read the parameters; by default max_tokens is the largest output that is not refused."""
        super().prepare(requests)
        accepted = [o for i, o in enumerate(requests.output.tolist()) if i not in self.machine.refused]
        longest = max(accepted, default=1)
        self.max_tokens = longest if self.parameters["max_tokens"] is None else self.integer("max_tokens")
        self.parameters["max_tokens"] = self.max_tokens
        if self.must_cover:
            self.require(self.max_tokens >= longest, "max_tokens", f"at least the largest output, {longest}")

    def passes_test(self, i: int, admitted: list[int]) -> bool:
        """Test the reservations; who is alone may always go, since nobody longer than the memory is let in."""
        m = self.machine
        reserved = sum(m.rounded(m.prompt[j] + self.max_tokens) for j in [*m.residents(), i])
        return reserved <= m.memory or not m.residents()

    def form(self) -> Batch:
        """Return everybody."""
        self.admit()
        return self.everyone()


class FasterTransformer(Orca):
    """`faster_transformer`: as `orca`, but admits only when nobody is resident, so a group runs to its last end."""

    name = "faster_transformer"

    def form(self) -> Batch:
        """Return everybody, after admitting a group if the last one has ended."""
        if not self.machine.residents():
            self.admit()
        return self.everyone()


class LightLlm(Orca):
    """`lightllm`: look at the peak to come if everybody ran to max_tokens; prefill at most every few decodes."""

    name = "lightllm"
    defaults: ClassVar = {"max_batch": 128, "max_tokens": None, "prefill_every": 10}
    must_cover = False

    def prepare(self, requests: Requests) -> None:
        """Read the parameters."""
        super().prepare(requests)
        self.prefill_every = self.integer("prefill_every")
        self.decodes_since_prefill = 0

    def passes_test(self, i: int, admitted: list[int]) -> bool:
        """Test the peak: whoever has least left ends first."""
        m = self.machine
        if not m.residents():
            return True
        rows = []
        for j in [*m.residents(), i]:
            s = m.stage[j] if m.stage[j] > 0 else m.kept[j]
            rows.append((max(self.max_tokens - s, 0), m.prompt[j] + s))
        rows.sort(key=lambda row: -row[0])
        peaks = [sum(m.rounded(cur + left) for _, cur in rows[: k + 1]) for k, (left, _) in enumerate(rows)]
        return max(peaks) <= m.memory

    def form(self) -> Batch:
        """Return the prefills when it is time for them and someone passes, else everybody."""
        m = self.machine
        if not m.residents() or self.decodes_since_prefill >= self.prefill_every:
            admitted = self.admit()
            if admitted:
                return {i: m.prefill(i) for i in admitted}
        return self.everyone()

    def ran(self, batch: Batch) -> None:
        """Count decode iterations since the last prefill."""
        self.decodes_since_prefill = 0 if any(batch.values()) else self.decodes_since_prefill + 1

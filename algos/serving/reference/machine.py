"""The worker of the slow simulator: where every request stands, what it holds, and the few moves that exist.

Memory is added up anew from the state of every resident whenever it is asked for; nothing is updated in passing.
Times belong to `algos.serving.reference.record`.
"""

from __future__ import annotations

import math

from algos.serving.reference.record import Record
from kvratio.problem.requests import Requests

#: of an iteration: request -> prompt tokens that it processes (0: one decode)
Batch = dict[int, int]


class Machine:
    """The residents, those who wait, and the moves between them.

    Parameters
    ----------
    requests : Requests
    memory : int
        C in tokens.
    block : int
        Footprints are rounded up to a multiple of it.
    eviction : {"restart", "recompute", "swap"}
    record : Record
        Is told what happens and when.
    """

    def __init__(self, requests: Requests, memory: int, block: int, eviction: str, record: Record) -> None:
        n = requests.n
        self.memory = memory
        self.block = block
        self.eviction = eviction
        self.record = record
        self.prompt = requests.prompt.tolist()
        self.arrival = requests.arrival.tolist()
        self.predicted = requests.predicted.tolist()
        self.type_of = requests.type_of.tolist()
        self._output = requests.output.tolist()
        self.refused = {i for i in range(n) if self.rounded(self.prompt[i] + self._output[i]) > memory}
        self.stage = [0] * n  # the next pass to be run
        self.kept = [0] * n  # g: tokens kept as text by an eviction with recompute
        self.chunked = [0] * n  # prompt tokens processed so far by a prefill in chunks
        self.passes: list[list[int]] = [[] for _ in range(n)]  # stages run in this attempt
        self.admission = [0] * n
        self.joined = [0] * n  # when it joined its stage, to keep the queues of stages first in, first out
        self.decision = 0
        self.joins = 0
        self.to_come = list(range(n))  # by arrival, then by id
        self._waiting: set[int] = set()
        self._resident: set[int] = set()
        self._swapped: set[int] = set()
        self.done: set[int] = set()
        self.entry_stages: set[int] = set()  # stages whose queue is a boundary queue of Nested WAIT (section 1.3)

    # -- who is where ---------------------------------------------------------------------------------------------
    def rank(self, i: int) -> tuple[float, int]:
        """Return the sort key (arrival, id)."""
        return self.arrival[i], i

    def waiting(self) -> list[int]:
        """Return those who wait, by (arrival, id)."""
        return sorted(self._waiting, key=self.rank)

    def residents(self) -> list[int]:
        """Return the residents, oldest first."""
        return sorted(self._resident, key=self.rank)

    def swapped(self) -> list[int]:
        """Return those swapped out, oldest first."""
        return sorted(self._swapped, key=self.rank)

    def at_stage(self, s: int) -> list[int]:
        """Return the residents whose next pass is stage s, in the order in which they joined it."""
        return sorted((i for i in self._resident if self.stage[i] == s), key=lambda i: self.joined[i])

    def all_arrived(self) -> bool:
        """Return whether no arrival is outstanding."""
        return not self.to_come

    def unfinished(self) -> int:
        """Return how many requests have not completed and were not refused."""
        return len(self.stage) - len(self.done) - len(self.refused)

    # -- memory (section 1.3) -------------------------------------------------------------------------------------
    def rounded(self, tokens: int) -> int:
        """Return tokens rounded up to whole blocks."""
        return math.ceil(tokens / self.block) * self.block

    def prefill(self, i: int) -> int:
        """Return the tokens that a prefill of i processes: l, or l + g when g tokens were kept as text."""
        return self.prompt[i] + self.kept[i]

    def need(self, i: int) -> int:
        """Return the memory that admitting i takes."""
        return self.rounded(self.prefill(i))

    def footprint(self, i: int, in_batch: bool) -> int:
        """Return what a request holds: a row of the table of section 1.3."""
        if i not in self._resident:
            return 0
        if self.stage[i] == 0:
            return self.rounded(self.prefill(i))
        if self.stage[i] in self.entry_stages and not in_batch:
            return self.rounded(self.prompt[i] + self.stage[i] - 1)
        return self.rounded(self.prompt[i] + self.stage[i])

    def used(self, batch: Batch | None = None) -> int:
        """Return the total footprint, with this batch about to run."""
        return sum(self.footprint(i, i in (batch or {})) for i in self._resident)

    # -- moves ----------------------------------------------------------------------------------------------------
    def join_arrivals(self, now: float) -> None:
        """Let the requests with a <= now join the queue; refuse those that can never fit."""
        while self.to_come and self.arrival[self.to_come[0]] <= now:
            i = self.to_come.pop(0)
            if i not in self.refused:
                self._waiting.add(i)

    def admit(self, i: int) -> None:
        """Make a waiting request resident; its prefill is to come."""
        self._waiting.remove(i)
        self._resident.add(i)
        self.admission[i] = self.decision
        self.record.admit(i)

    def last_admitted(self) -> int:
        """Return the resident admitted last (ties: later arrival, then larger id)."""
        return max(self._resident, key=lambda i: (self.admission[i], self.arrival[i], i))

    def evict(self, i: int) -> None:
        """Take the memory of resident i away (section 1.4)."""
        held = self.footprint(i, in_batch=False)
        self.record.lose(i, len(self.passes[i]))
        self._resident.remove(i)
        if self.stage[i] == 0:  # inside a chunked prefill: the chunks are lost under every option
            self._waiting.add(i)
            self.record.evict(i, prefill_lost=self.chunked[i], decodes_lost=0, restarts=self.eviction == "restart")
            self.chunked[i] = 0
        elif self.eviction == "restart":
            self._waiting.add(i)
            self.record.evict(i, prefill_lost=self.prompt[i], decodes_lost=self.stage[i] - 1, restarts=True)
            self.stage[i], self.passes[i] = 0, []
        elif self.eviction == "recompute":
            self._waiting.add(i)
            self.kept[i] = self.stage[i] - 1
            self.record.evict(i, prefill_lost=self.prefill(i), decodes_lost=0, restarts=False)
            self.stage[i] = 0
        else:
            self._swapped.add(i)
            self.record.evict(i, prefill_lost=0, decodes_lost=0, restarts=False)
            self.record.move(held)

    def relieve(self) -> None:
        """Evict while the footprint exceeds C, last admitted first."""
        while self.used() > self.memory:
            self.evict(self.last_admitted())

    def begin_decision(self) -> None:
        """Count the decision and bring back who was swapped out: oldest first, as long as they fit."""
        self.decision += 1
        for i in self.swapped():
            if self.used() + self.rounded(self.prompt[i] + self.stage[i]) > self.memory:
                return
            self._swapped.remove(i)
            self._resident.add(i)
            self.admission[i] = self.decision
            self.joins += 1
            self.joined[i] = self.joins
            self.record.move(self.footprint(i, in_batch=False))

    def advance(self, batch: Batch) -> None:
        """End of an iteration: all of the batch move one stage at once; who ran stage o completes."""
        for i, prompt_tokens in batch.items():
            s = self.stage[i]
            if s == 0:
                self.chunked[i] += prompt_tokens
                if self.chunked[i] < self.prefill(i):
                    continue
                self.chunked[i] = 0
                self.stage[i] = self.kept[i] + 1
                self.record.prefilled(i)
            else:
                self.stage[i] = s + 1
                self.record.emit(i)
            self.passes[i].append(s)
            self.joins += 1
            self.joined[i] = self.joins
            if s == self._output[i]:
                self._resident.remove(i)
                self.done.add(i)
                self.check_passes(i)
                self.record.complete(i, self.eviction == "restart")

    # -- invariants (section 12) ----------------------------------------------------------------------------------
    def check(self, batch: Batch | None = None) -> None:
        """Assert conservation and the memory limit."""
        places = [self._waiting, self._resident, self._swapped, self.done, self.refused - set(self.to_come)]
        arrived = set(range(len(self.stage))) - set(self.to_come)
        assert set().union(*places) == arrived, "a request is lost"
        assert sum(len(place) for place in places) == len(arrived), "a request is in two places"
        assert self.used(batch) <= self.memory, f"footprint {self.used(batch)} exceeds {self.memory}"
        assert all(i in self._resident for i in batch or {}), "the batch holds a request that is not resident"

    def check_passes(self, i: int) -> None:
        """Assert that i ran exactly stages 0..o in the attempt that completed, and prefilled again where it must."""
        decodes = [s for s in self.passes[i] if s > 0]
        prefills = len(self.passes[i]) - len(decodes)
        assert decodes == list(range(1, self._output[i] + 1)), f"request {i} ran {self.passes[i]}"
        assert prefills == 1 or (self.eviction == "recompute" and prefills > 1), f"request {i} ran {self.passes[i]}"

"""The slow engine: one Python step per round, in the order of steps of docs/model.md section 2.

Nothing here is fast and nothing jumps: epochs are visited one after another, except that the clock goes straight
to the next arrival when no request runs and none waits. Memory is the sum of what each running request holds,
added up anew whenever it is asked for. The compiled engine is tested against this one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kvratio.problem.errors import PolicyError, RoundLimit

if TYPE_CHECKING:
    from algos.reference.policy import Policy

Attempt = tuple[int, int, int, bool]


@dataclass(frozen=True)
class Problem:
    """The data of an instance as plain Python integers; predictions are already clamped into [1, M - s].

    Parameters
    ----------
    memory : int
        The budget M.
    prompt, output, arrival : list of int, length n
        s, o and a.
    predicted, low, high : list of int, length n
        Clamped point prediction and interval.
    """

    memory: int
    prompt: list[int]
    output: list[int]
    arrival: list[int]
    predicted: list[int]
    low: list[int]
    high: list[int]

    @property
    def n(self) -> int:
        """Number of requests."""
        return len(self.prompt)


@dataclass
class Outcome:
    """What a run leaves behind: every attempt, and the counters of docs/model.md section 6."""

    attempts: list[Attempt] = field(default_factory=list)
    evictions: int = 0
    wasted_rounds: int = 0
    wasted_token_rounds: int = 0
    recomputed_tokens: int = 0

    def completions(self) -> dict[int, int]:
        """Return the round at whose end each request completed."""
        return {i: stop for i, _, stop, completed in self.attempts if completed}

    def total_completion(self) -> int:
        """Return the sum of completion rounds."""
        return sum(self.completions().values())


class Worker:
    """The one worker, as a policy sees it: who waits, who runs, how old each is, and the two actions.

    Parameters
    ----------
    problem : Problem
    eviction : {"restart", "recompute", "swap"}
        What happens to the tokens of an evicted request.
    clairvoyant : bool
        Whether `output` may be asked.
    """

    def __init__(self, problem: Problem, eviction: str, clairvoyant: bool) -> None:
        self.now = 0
        self.memory = problem.memory
        self.n = problem.n
        self.prompt = problem.prompt
        self.arrival = problem.arrival
        self.predicted = problem.predicted
        self.low = problem.low
        self.high = problem.high
        self.eviction = eviction
        self.outcome = Outcome()
        self._output = problem.output
        self._clairvoyant = clairvoyant
        self._waiting: set[int] = set()
        self._start: dict[int, int] = {}
        self._kept = [0] * problem.n
        self._unarrived = sorted(range(problem.n), key=self.rank)
        self._unfinished = problem.n

    # -- what may be read -----------------------------------------------------------------------------------------
    def waiting(self) -> list[int]:
        """Return the waiting requests by index."""
        return sorted(self._waiting)

    def running(self) -> list[int]:
        """Return the running requests by index."""
        return sorted(self._start)

    def is_running(self, i: int) -> bool:
        """Return whether request i runs now."""
        return i in self._start

    def rank(self, i: int) -> tuple[int, int]:
        """Return the sort key (a_i, i)."""
        return self.arrival[i], i

    def start_of(self, i: int) -> int:
        """Return the epoch at which the current attempt of running request i started."""
        return self._start[i]

    def age(self, i: int) -> int:
        """Return the tokens that i has: those of its current attempt, and those kept from earlier ones."""
        return self._kept[i] + (self.now - self._start[i] if i in self._start else 0)

    def demand(self, i: int) -> int:
        """Return the memory that i holds in the next round, running on or started now: s_i + age_i + 1."""
        return self.prompt[i] + self.age(i) + 1

    def need(self) -> int:
        """Return the demand of the next round: the sum over running requests."""
        return sum(self.demand(i) for i in self._start)

    def has_room(self, i: int) -> bool:
        """Return whether waiting request i fits for one round: need + s_i + 1 <= M."""
        return self.need() + self.demand(i) <= self.memory

    def output(self, i: int) -> int:
        """Return o_i, to clairvoyant policies only."""
        if not self._clairvoyant:
            raise PolicyError(f"a policy that is not clairvoyant asked for the output of request {i}")
        return self._output[i]

    # -- the two actions ------------------------------------------------------------------------------------------
    def start(self, i: int) -> None:
        """Start waiting request i in the next round."""
        if i not in self._waiting:
            raise PolicyError(f"request {i} is started at epoch {self.now} but does not wait")
        self._waiting.remove(i)
        self._start[i] = self.now
        if self.eviction == "recompute" and self._kept[i] > 0:
            self.outcome.recomputed_tokens += self.prompt[i] + self._kept[i]

    def evict(self, i: int) -> None:
        """Stop running request i; it waits again. Its tokens are void under restart, kept otherwise."""
        if i not in self._start:
            raise PolicyError(f"request {i} is evicted at epoch {self.now} but does not run")
        start = self._start.pop(i)
        self._waiting.add(i)
        length = self.now - start
        if length == 0:
            return
        self.outcome.attempts.append((i, start, self.now, False))
        self.outcome.evictions += 1
        if self.eviction == "restart":
            self.outcome.wasted_rounds += length
            self.outcome.wasted_token_rounds += sum(self.prompt[i] + j for j in range(1, length + 1))
        else:
            self._kept[i] += length

    # -- the engine's own steps -----------------------------------------------------------------------------------
    def complete_finished(self) -> list[int]:
        """Step 1: free the requests whose last token was produced in round ``now``; return them by index."""
        finished = [i for i in self.running() if self.age(i) == self._output[i]]
        for i in finished:
            self.outcome.attempts.append((i, self._start.pop(i), self.now, True))
            self._unfinished -= 1
        return finished

    def join_arrivals(self) -> list[int]:
        """Step 2: requests with a_i <= now join the waiting set; return them by rank."""
        joined = []
        while self._unarrived and self.arrival[self._unarrived[0]] <= self.now:
            joined.append(self._unarrived.pop(0))
        self._waiting.update(joined)
        return joined

    def all_done(self) -> bool:
        """Return whether every request has completed."""
        return self._unfinished == 0

    def is_idle(self) -> bool:
        """Return whether nothing runs and nobody waits."""
        return not self._start and not self._waiting

    def next_arrival(self) -> int | None:
        """Return the epoch of the next arrival, None if all have arrived."""
        return self.arrival[self._unarrived[0]] if self._unarrived else None


def run(
    problem: Problem, make_policy: Callable[[Worker], Policy], eviction: str, clairvoyant: bool, round_limit: int
) -> Outcome:
    """Run a policy to the end, one epoch after another.

    Parameters
    ----------
    problem : Problem
    make_policy : callable
        Builds the policy on a fresh worker.
    eviction : {"restart", "recompute", "swap"}
    clairvoyant : bool
        Whether the policy may read outputs before they are known.
    round_limit : int
        Most rounds that may be run, not counting those skipped while no request runs and none waits.

    Returns
    -------
    Outcome

    Raises
    ------
    PolicyError
        The policy overfilled the memory, or nothing runs and nothing will ever start.
    RoundLimit
        Requests were unfinished after ``round_limit`` rounds.
    """
    worker = Worker(problem, eviction, clairvoyant)
    policy = make_policy(worker)
    rounds = 0
    while True:
        for i in worker.complete_finished():  # step 1
            policy.completed(i)
        if worker.all_done():
            return worker.outcome
        policy.arrived(worker.join_arrivals())  # step 2
        policy.end_timed()  # step 3
        policy.relieve()  # step 4
        policy.admit()  # step 5
        if worker.need() > worker.memory:
            raise PolicyError(
                f"{policy.name} at epoch {worker.now}: the next round needs {worker.need()} of {worker.memory} memory"
            )
        next_arrival = worker.next_arrival()
        if worker.is_idle() and next_arrival is not None:
            worker.now = next_arrival
            continue
        if not worker.running() and next_arrival is None and not policy.expects_event():
            raise PolicyError(
                f"{policy.name} at epoch {worker.now}: nothing runs, {len(worker.waiting())} requests wait "
                f"(the first is {worker.waiting()[0]}), and nothing will start them"
            )
        if rounds >= round_limit:
            raise RoundLimit(f"{policy.name} reached the limit of {round_limit} rounds at epoch {worker.now}")
        ran = worker.running()
        rounds += 1  # step 6
        worker.now += 1
        policy.after_round(ran)

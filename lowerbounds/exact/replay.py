"""An independent, slow replay of the exact search's proofs. Plain Python integers; shares no code with the search.

The claim is "no schedule has a total completion time below L". Let theta = L - 1 and suppose that an optimal schedule
costs at most theta.

1. **Windows.** Every round after the last arrival is busy, so all completions are at most max arrival + sum of
   outputs.
2. **Rows.** A row (round t, weights F(m, r) >= 0, right-hand side b) is accepted only if the largest total weight of
   a set of requests that are active in round t is at most b. The maximum is recomputed: sets are built by r
   descending, a set with k requests and memory sum S can take a request in state (m, r) if (k + 1) r + S + m <= M
   (else memory is exceeded when that request completes), and a state can be taken as often as requests can be in it
   in round t, according to the windows so far.
3. **Prices.** Numerators N >= 0 over Q: with rc_j(C) = Q C + sum over j's run of N F, every schedule costs at least
   (sum over j of min rc_j - sum of N b) / Q. A completion whose replacement of the minimum exceeds theta is used by
   no schedule of cost <= theta and leaves the window; the next stage uses the smaller windows.
4. **Labels.** Under the last prices all ways to place requests by completion round, last round first, are enumerated.
   A label is dropped only if: its memory exceeds M; its bound exceeds theta; its remaining token-rounds exceed M
   times the rounds left; a round after the last arrival is idle; a request could have started one round earlier with
   all else unchanged (then the schedule is no optimum); identical requests are out of order; or another label with
   the same unplaced set costs no more and has the same active memory in every earlier round. The claim holds if no
   label ends as a complete schedule of cost <= theta.

"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kvratio.problem import Instance
from kvratio.problem.errors import BadParameter

#: a state of an active request: (memory now, rounds left after this one)
State = tuple[int, int]


class Rejected(BadParameter):
    """The proof does not show what it claims; the message says which step fails."""


class _Replay:
    def __init__(self, inst: Instance, proof: Mapping[str, Any]) -> None:
        self.M = int(inst.memory)
        self.n = inst.n
        self.arrival = [int(a) for a in inst.arrival]
        self.prompt = [int(s) for s in inst.prompt]
        self.output = [int(o) for o in inst.output]
        self.lower = _integer(proof, "lower")
        self.Q = _integer(proof, "denominator")
        if self.Q < 1:
            raise Rejected("denominator must be >= 1")
        self.theta = self.lower - 1
        self.last = max(self.arrival) + sum(self.output)
        self.windows = [set(range(self.arrival[j] + self.output[j], self.last + 1)) for j in range(self.n)]
        #: Q * dual of the last stage and its tables
        self.pay: dict[tuple[int, int, int], int] = {}
        self.budget: dict[int, int] = {}
        self.rc: list[dict[int, int]] = []

    # -- stages ---------------------------------------------------------------------------------------------------
    def stage(self, rows: list[Any]) -> bool:
        """Take in one stage of prices; return whether they alone prove the claim."""
        in_state: dict[int, dict[State, int]] = {}
        self.pay, self.budget = {}, {}
        by_round: dict[int, list[tuple[int, dict[State, int] | None]]] = {}
        for t, numerator, rhs, weights in rows:
            if numerator < 0 or any(type(x) is not int for x in (t, numerator, rhs)):
                raise Rejected(f"a row of round {t} has a numerator that is no integer >= 0")
            if weights == "memory":
                if rhs < self.M:
                    raise Rejected(f"the memory row of round {t} has right-hand side {rhs} < {self.M}")
                table = None
            else:
                table = {(m, r): w for m, r, w in weights}
                if any(type(w) is not int or w < 0 for w in table.values()):
                    raise Rejected(f"a row of round {t} has a negative weight")
                if t not in in_state:
                    in_state[t] = self._occupancy(t)
                top = self._heaviest(table, in_state[t])
                if top > rhs:
                    raise Rejected(f"a row of round {t} claims at most {rhs}, but a feasible set weighs {top}")
            by_round.setdefault(t, []).append((numerator, table))
            self.budget[t] = self.budget.get(t, 0) + numerator * rhs
        for t, priced in by_round.items():
            for j in range(self.n):
                for age in range(1, self.output[j] + 1):
                    m, r = self.prompt[j] + age, self.output[j] - age
                    total = sum(N * (m if table is None else table.get((m, r), 0)) for N, table in priced)
                    if total:
                        self.pay[t, j, age] = total
        self._reduce()
        least = [min(costs.values()) for costs in self.rc]
        dual = sum(least) - sum(self.budget.values())
        if dual > self.theta * self.Q:
            return True
        for j in range(self.n):
            slack = self.theta * self.Q - dual + least[j]
            self.windows[j] = {C for C in self.windows[j] if self.rc[j][C] <= slack}
        self._reduce()
        return False

    def _reduce(self) -> None:
        self.rc = []
        for j in range(self.n):
            o = self.output[j]
            self.rc.append(
                {
                    C: self.Q * C + sum(self.pay.get((C - o + a, j, a), 0) for a in range(1, o + 1))
                    for C in self.windows[j]
                }
            )

    def _occupancy(self, t: int) -> dict[State, int]:
        """How many requests can be in each state in round t."""
        count: dict[State, int] = {}
        for j in range(self.n):
            for age in range(1, self.output[j] + 1):
                if t - age + self.output[j] in self.windows[j]:
                    state = (self.prompt[j] + age, self.output[j] - age)
                    count[state] = count.get(state, 0) + 1
        return count

    def _heaviest(self, weight: dict[State, int], count: dict[State, int]) -> int:
        """Largest weight of a set of active requests that fits from now on."""
        best = {(0, 0): 0}
        for (m, r), w in sorted(weight.items(), key=lambda item: -item[0][1]):
            for _ in range(count.get((m, r), 0)):
                grown = dict(best)
                for (k, S), value in best.items():
                    if (k + 1) * r + S + m <= self.M:
                        key = (k + 1, S + m)
                        grown[key] = max(grown.get(key, 0), value + w)
                if grown == best:
                    break
                best = grown
        return max(best.values())

    # -- labels ---------------------------------------------------------------------------------------------------
    def enumerate(self, most: int) -> int:
        """Enumerate all labels under the last prices; return how many, or raise `Rejected`."""
        theta = self.theta * self.Q
        top = max(max(window) for window in self.windows)
        twin = self._twins()
        last_arrival = max(self.arrival)
        volume = [s * o + o * (o + 1) // 2 for s, o in zip(self.prompt, self.output, strict=True)]
        # label: (unplaced, sorted active (completion, request, justified)) -> smallest cost; see _key for merging
        layer: list[tuple[int, frozenset[int], tuple[tuple[int, int, bool], ...], int]] = [
            (0, frozenset(range(self.n)), (), 0)
        ]
        visited = 0
        for t in range(top, 0, -1):
            low = [min((v for C, v in costs.items() if t >= C), default=None) for costs in self.rc]
            merged: dict[Any, tuple[int, frozenset[int], tuple[tuple[int, int, bool], ...], int]] = {}
            for cost, unplaced, active, need in layer:
                visited += 1
                if visited > most:
                    raise Rejected(f"more than {most} labels: raise the limit to replay this proof")
                used = sum(self.prompt[j] + self.output[j] - (C - t) for C, j, _ in active)
                ready = [
                    j for j in sorted(unplaced) if t in self.rc[j] and self.prompt[j] + self.output[j] <= self.M - used
                ]
                for ending in self._subsets(ready, self.M - used):
                    total = used + sum(self.prompt[j] + self.output[j] for j in ending)
                    left = unplaced.difference(ending)
                    if need and (not ending or total < need):
                        continue
                    if any(j in twin and twin[j] in left for j in ending):
                        continue
                    if total == 0 and cost and t > last_arrival:
                        continue
                    paid = cost + len(ending) * t
                    if not left:
                        if paid <= self.theta:
                            raise Rejected(f"a schedule of cost {paid} exists")
                        continue
                    tight = bool(ending) and total == self.M
                    carried, demand = self._age(t, active, ending, tight)
                    if any(low[j] is None for j in left):
                        continue
                    child = (paid, left, carried, demand)
                    rest = sum(volume[j] for j in left) + sum(self._held(j, C, t - 1) for C, j, _ in carried)
                    if rest > self.M * (t - 1) or self._bound(child, t - 1) > theta:
                        continue
                    key = (left, self._profile(carried, t - 1))
                    if key not in merged or merged[key][0] > paid:
                        merged[key] = child
            layer = list(merged.values())
        if layer:
            raise Rejected("requests are left unplaced before round 1")
        return visited

    def _twins(self) -> dict[int, int]:
        """The next identical request, which must complete no earlier."""
        seen: dict[tuple[int, int, int], int] = {}
        following: dict[int, int] = {}
        for j in range(self.n - 1, -1, -1):
            key = (self.arrival[j], self.prompt[j], self.output[j])
            if key in seen:
                following[j] = seen[key]
            seen[key] = j
        return following

    def _subsets(self, ready: list[int], room: int) -> list[tuple[int, ...]]:
        """All subsets whose peaks fit into the room."""
        subsets: list[tuple[tuple[int, ...], int]] = [((), 0)]
        for j in ready:
            peak = self.prompt[j] + self.output[j]
            subsets += [((*chosen, j), size + peak) for chosen, size in subsets if size + peak <= room]
        return [chosen for chosen, _ in subsets]

    def _age(
        self, t: int, active: tuple[tuple[int, int, bool], ...], ending: tuple[int, ...], tight: bool
    ) -> tuple[tuple[tuple[int, int, bool], ...], int]:
        """Return who still runs in round t - 1, and the total that leaving unjustified requests demand there."""
        demand = 0
        carried = []
        for C, j, justified in [*((C, j, f or tight) for C, j, f in active), *((t, j, False) for j in ending)]:
            start = C - self.output[j]
            if start < t - 1:
                carried.append((C, j, justified))
            elif not justified and start > self.arrival[j]:
                demand = max(demand, self.M - self.prompt[j])
        return tuple(sorted(carried)), demand

    def _held(self, j: int, C: int, t: int) -> int:
        """Token-rounds of request j, completing in C, in rounds up to t."""
        age = self.output[j] - (C - t)
        return self.prompt[j] * age + age * (age + 1) // 2

    def _profile(self, active: tuple[tuple[int, int, bool], ...], t: int) -> tuple[int, ...]:
        """Memory of the active in rounds t, t - 1, .. until all are gone."""
        totals: list[int] = []
        u = t
        while True:
            total = 0
            for C, j, _ in active:
                age = u - (C - self.output[j])
                if age > 0:
                    total += self.prompt[j] + age
            if total == 0:
                return tuple(totals)
            totals.append(total)
            u -= 1

    def _bound(self, label: tuple[int, frozenset[int], tuple[tuple[int, int, bool], ...], int], t: int) -> int:
        """Q times a lower bound on the cost of all schedules that a label before round t stands for."""
        cost, unplaced, active, _ = label
        bound = self.Q * cost - sum(b for u, b in self.budget.items() if u <= t)
        for j in unplaced:
            bound += self._least(j, t)
        for C, j, _ in active:
            start = C - self.output[j]
            bound += sum(self.pay.get((u, j, u - start), 0) for u in range(start + 1, t + 1))
        return bound

    def _least(self, j: int, t: int) -> int:
        costs = [value for C, value in self.rc[j].items() if t >= C]
        # No completion by t is left: no schedule.
        return min(costs) if costs else (self.theta + 1) * self.Q * (self.n + 2) + sum(self.budget.values())


def _integer(proof: Mapping[str, Any], name: str) -> int:
    value = proof.get(name)
    if type(value) is not int:
        raise Rejected(f"{name} is {value!r}: an integer is needed")
    return value


def replay(inst: Instance, proof: Mapping[str, Any], most_labels: int = 10_000_000) -> int:
    """Check that a proof object of the exact search shows its lower bound on the total completion time.

    Parameters
    ----------
    inst : Instance
    proof : mapping
        As in `SearchResult.proof` (kind ``layers``).
    most_labels : int
        Give up beyond so many labels; memory and time grow with it.

    Returns
    -------
    int
        Labels enumerated (0 when prices alone suffice).

    Raises
    ------
    Rejected
        When a step does not hold.
    """
    if proof.get("kind") != "layers":
        raise Rejected(f"kind is {proof.get('kind')!r}: only 'layers' can be replayed")
    work = _Replay(inst, proof)
    if work.lower <= sum(work.arrival) + sum(work.output):
        return 0
    for stage in proof["stages"]:
        if work.stage(stage["rows"]):
            return 0
        if any(not window for window in work.windows):
            return 0
    if not work.rc:
        work._reduce()
    return work.enumerate(most_labels)


__all__ = ["Rejected", "replay"]

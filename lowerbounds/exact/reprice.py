"""New prices for the labels of a layer: the root LP restricted to what some of them still have to place on average.

The bound of a label is concave in the prices, and so is the mean of the bounds of several labels. The prices that
maximise it solve the LP in which each class is demanded as often as the labels have it unplaced on average, only
completions up to the round of the layer are allowed, and every row is reduced by what the active requests use of it.
An expensive column per class lets the LP leave requests out, so that labels without any completion are seen as well.

Labels are grouped by the memory they leave idle: prices measure how crowded the rounds are. Groups of equal size drop
several times as many labels as groups of similar sets do.
"""

from __future__ import annotations

import time

import numpy as np
import numpy.typing as npt

from kvratio.problem.compiled import compiled
from kvratio.problem.errors import SolverError
from lowerbounds.exact.jobs import Jobs
from lowerbounds.exact.master import Master, Solution, occupancy
from lowerbounds.exact.pool import Pool
from lowerbounds.exact.profiles import UNIT, lift, separate
from lowerbounds.exact.shard import Shard
from lowerbounds.exact.tables import BoolArray, PriceTable, Row

IntArray = npt.NDArray[np.int64]
BodyArray = npt.NDArray[np.int32]
FloatArray = npt.NDArray[np.float64]

#: labels of a layer from which it gets new prices
LARGE = 10_000
#: labels of a layer on which new prices are tried
SAMPLE = 1500
#: groups of a layer, in the order in which LPs are solved for them: least idle memory, most, between
GROUPS = (0, 3, 1, 2)
#: labels whose mean an LP is solved for
MEAN = 200
#: share of the sampled labels that a vector must drop to be kept
USEFUL = 0.04
#: share of the sampled labels that must be left for another LP
LEFT = 0.2
#: vectors in the pool; the least useful go first
VECTORS = 32
#: of which the latest are kept whatever they have dropped so far
RECENT = 4
#: labels expanded in the time of one simplex iteration, for each row and column of the LP
EXCHANGE = 0.06
#: cost of leaving one request out, in horizons
PENALTY = 3.0
#: a row is added where the average labels exceed its right-hand side by this share
VIOLATION = 0.05
#: share of the sampled labels whose slack the reduced cost of a column may not exceed
SLACK = 0.5
#: mass of a state that the search for a cut leaves out
NEGLIGIBLE = 5e-3


@compiled
def _mean_use(t, head, body, which, output, offset, state_of, use):
    """Add to use[round, state] the share of the labels that have a request in that state, for rounds up to t."""
    for k in which:
        for i in range(head[k, 3] & 255):
            e = body[k, i]
            j = (e >> 1) & 63
            age = output[j] - ((e >> 7) - t)
            for back in range(age):
                use[t - back, state_of[offset[j] + age - back - 1]] += 1.0 / len(which)


class Repricer:
    """Solves LPs for the labels of large layers and keeps the useful prices in a pool.

    When to solve is decided by counts of labels and simplex iterations, never by the clock.

    Parameters
    ----------
    jobs : Jobs
    rows : list of Row
        Rows of the LP; all are valid for schedules of cost up to the threshold of the sweep.
    allowed : bool[n, T + 2]
        Completions such schedules use.
    table : PriceTable
        Prices of the sweep.
    deadline : float
        On the monotonic clock; no LP goes on beyond it.
    sizes : int
        Most requests that can be active at once.
    vectors : int
        Most vectors in the pool.
    """

    def __init__(
        self,
        jobs: Jobs,
        rows: list[Row],
        allowed: BoolArray,
        table: PriceTable,
        deadline: float,
        sizes: int,
        vectors: int = VECTORS,
    ) -> None:
        self._table = table
        self.jobs, self.deadline, self.sizes, self.vectors = jobs, deadline, sizes, vectors
        self.most = occupancy(jobs, allowed)
        last = int(np.flatnonzero(allowed.any(axis=0)).max(initial=0))
        self.rows = [row for row in rows if row.t <= last]
        self.pool = Pool(jobs, self.rows, allowed, table.denominator)
        self.solved = 0
        self._since = 0
        self._wait = 0.0
        self._effort = 0.0
        self._master: Master | None = None
        #: rows that had a price since the LP was built
        self._priced = np.zeros(0, bool)
        self._volume = jobs.prompt * jobs.output + jobs.output * (jobs.output + 1) // 2

    def reprice(self, t: int, shards: list[Shard], limit: int) -> None:
        """Find prices for a layer of round t if it is large and due, and drop the labels they exclude.

        Parameters
        ----------
        limit : int
            Q * threshold.
        """
        size = sum(shard.size for shard in shards)
        self._since += size
        if size < LARGE or self._since < self._wait or time.monotonic() > self.deadline:
            return
        self._since = 0
        step = max(1, size // SAMPLE)
        head = np.concatenate([shard.head[: shard.size : step] for shard in shards])
        body = np.concatenate([shard.body[: shard.size : step] for shard in shards])
        old = len(self.pool)
        self._effort = 0.0
        self._build(t, float(np.quantile(limit - head[:, 1], SLACK)))
        for group in GROUPS:
            alive = np.flatnonzero(head[:, 6] <= limit)
            if len(alive) < LEFT * len(head):
                break
            members = self._members(head, alive, group)
            if len(members) == 0:
                continue
            prices = self._solve(t, head, body, members)
            if prices is None:
                break
            self._try(t, prices, head, body, limit)
        # About half of the time goes into LPs. The first one starts without a basis: it says little about the next.
        self._wait = self._effort if old else 0.0
        new = list(range(old, len(self.pool)))
        if new:
            view = self.pool.view(t, new)
            for shard in shards:
                hits = np.zeros(len(new), np.int64)
                shard.size = self.pool.screen(t, view, shard.head, shard.body, shard.size, limit, hits, drop=True)
        self._forget()

    def _try(self, t: int, prices: FloatArray, head: IntArray, body: BodyArray, limit: int) -> None:
        """Add prices to the pool if they drop enough of the sample."""
        before = int(np.count_nonzero(head[:, 6] <= limit))
        last = len(self.pool)
        if not self.pool.add(prices):
            return
        self.pool.screen(t, self.pool.view(t, [last]), head, body, len(head), limit, np.zeros(1, np.int64), drop=False)
        if before - np.count_nonzero(head[:, 6] <= limit) < USEFUL * before:
            self.pool.keep(list(range(last)))

    def _forget(self) -> None:
        """Make room in the pool; old merits count less and less."""
        if len(self.pool) > self.vectors:
            older = np.argsort(-self.pool.hits[:-RECENT], kind="stable")[: self.vectors - RECENT]
            recent = range(len(self.pool) - RECENT, len(self.pool))
            self.pool.keep([*np.sort(older).tolist(), *recent])
        self.pool.hits //= 2

    def _members(self, head: IntArray, alive: IntArray, group: int) -> IntArray:
        """Return labels of a group."""
        unplaced = (head[alive, 0][:, None] >> np.arange(self.jobs.n)) & 1
        busy = unplaced @ self._volume + (head[alive, 5] & ((1 << 40) - 1))
        members = np.array_split(alive[np.argsort(-busy, kind="stable")], len(GROUPS))[group]
        return members[:: max(1, len(members) // MEAN)]

    def _build(self, t: int, slack: float) -> None:
        """Set up an LP over completions up to t, without rows that had no price of late, with the last basis.

        Completions whose reduced cost exceeds ``slack`` (times Q) are left out: labels near the threshold have no use
        for them, and the pool evaluates prices over all completions anyway.
        """
        jobs, old = self.jobs, self._master
        allowed = self.pool.allowed.copy()
        allowed[:, t + 1 :] = False
        allowed &= self._table.reduced - self._table.best[:, [t]] <= slack
        demand = jobs.copies.astype(np.float64)
        master = Master(jobs, allowed, demand, self.sizes, self.most, PENALTY * allowed.shape[1])
        if old is None:
            self.rows = [row for row in self.rows if row.t <= t]
            master.add(self.rows)
        else:
            kept = np.array([row.t <= t for row in self.rows], bool) & self._priced
            self.rows = [row for row, keep in zip(self.rows, kept, strict=True) if keep]
            master.add(self.rows)
            import highspy  # only this search needs it

            before = old.solver.getBasis()
            basis = highspy.HighsBasis()
            status = dict(zip(zip(old.kind.tolist(), old.C.tolist(), strict=True), before.col_status, strict=False))
            absent = highspy.HighsBasisStatus.kLower
            columns = zip(master.kind.tolist(), master.C.tolist(), strict=True)
            basis.col_status = [status.get(column, absent) for column in columns] + before.col_status[-jobs.kinds :]
            lines = np.append(np.ones(jobs.kinds, bool), kept)
            basis.row_status = [status for status, keep in zip(before.row_status, lines, strict=True) if keep]
            master.solver.setBasis(basis)
        self.pool.rows = self.rows
        self._priced = np.zeros(len(self.rows), bool)
        self._master = master

    def _restrict(self, master: Master, use: FloatArray, first: int) -> None:
        """Reduce the rows from ``first`` on by what the active requests use."""
        for k in range(first, len(self.rows)):
            row = self.rows[k]
            free = max(0.0, 1.0 - float(row.weight @ use[row.t]) / row.rhs)
            master.solver.changeRowBounds(self.jobs.kinds + k, -np.inf, free)

    def _violated(self, t: int, master: Master, x: FloatArray, use: FloatArray) -> list[Row]:
        """Return profile cuts that the average labels and their LP solution violate, at most one per round."""
        jobs = self.jobs
        m, r = jobs.state_memory, jobs.state_left
        found = []
        for u in range(1, t + 1):
            active, states = master.states_at(u)
            mass = use[u] + np.bincount(states, weights=x[active], minlength=len(m))
            support = np.flatnonzero(mass > NEGLIGIBLE)
            if len(support) < 2 or mass[support].sum() <= 1.0 + VIOLATION:
                continue
            cap = np.minimum(self.most[u], self.sizes)
            f, value = separate(
                m[support], r[support], mass[support], cap[support], jobs.memory, self.sizes, 1.0 + VIOLATION
            )
            if value <= 1.0 + VIOLATION:
                continue
            weight = np.zeros(len(m), np.int64)
            weight[support] = np.floor(f * UNIT + 1e-4).astype(np.int64)
            rhs = int(lift(m, r, weight, cap, jobs.memory, self.sizes))
            if rhs > 0 and weight @ mass > rhs * (1.0 + VIOLATION / 2):
                found.append(Row(u, weight, rhs))
        return found

    def _solve(self, t: int, head: IntArray, body: BodyArray, which: IntArray) -> FloatArray | None:
        """Return the prices that maximise the mean bound of labels, float64[rows]; None when time is over.

        The LP is solved, gets the cuts that are missing, and is solved once more.
        """
        jobs, master = self.jobs, self._master
        assert master is not None
        use = np.zeros((self.pool.allowed.shape[1], len(jobs.state_left)))
        _mean_use(t, head, body, which, jobs.output, jobs.offset, jobs.state_of, use)
        unplaced = ((head[which, 0][:, None] >> np.arange(jobs.n)) & 1).mean(axis=0)
        for kind, demand in enumerate(np.bincount(jobs.kind, weights=unplaced).tolist()):
            master.solver.changeRowBounds(kind, demand, demand)
        self._restrict(master, use, 0)
        try:
            answer = self._run(master)
            found = self._violated(t, master, answer.x, use)
            if found:
                first = len(self.rows)
                master.add(found)
                self.rows += found
                self._priced = np.append(self._priced, np.ones(len(found), bool))
                self._restrict(master, use, first)
                answer = self._run(master)
        except SolverError:
            return None
        self._priced |= answer.prices > 0
        self.solved += 1
        return answer.prices

    def _run(self, master: Master) -> Solution:
        """Solve and count the effort."""
        answer = master.solve(self.deadline - time.monotonic())
        size = len(self.rows) + master.columns
        self._effort += EXCHANGE * master.solver.getInfo().simplex_iteration_count * size
        return answer

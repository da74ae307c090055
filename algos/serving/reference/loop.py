"""The loop of the slow simulator: one iteration after another, in the order of steps of section 1.4."""

from __future__ import annotations

from algos.serving.reference.machine import Batch, Machine
from algos.serving.reference.policy import Policy
from algos.serving.reference.record import Iteration, Record


def run(machine: Machine, policy: Policy, record: Record, stop_at: float) -> None:
    """Serve until everything completed, nothing can happen any more, or the time is up.

    Parameters
    ----------
    machine, policy, record
        As at time 0; they hold the outcome afterwards.
    stop_at : float
        Seconds at which the world stops. What would end later does not end.
    """
    while record.now < stop_at:
        machine.join_arrivals(record.now)
        machine.relieve()
        machine.check()
        if machine.all_arrived() and machine.unfinished() == 0:
            return
        batch = decide(machine, policy)
        machine.check(batch)
        record.decided(machine.used(batch))
        if batch:
            iteration = described(machine, batch)
            if record.time_after(iteration) > stop_at:
                record.hold(iteration.footprint, stop_at)
                record.idle_until(stop_at, 0)
                return
            record.run(iteration)
            policy.ran(batch)
            machine.advance(batch)
        elif machine.to_come:
            next_arrival = machine.arrival[machine.to_come[0]]
            record.idle_until(min(next_arrival, stop_at), machine.used())
        else:
            return


def decide(machine: Machine, policy: Policy) -> Batch:
    """Bring back who was swapped out, then let the policy form its batch: again if evictions emptied it."""
    while True:
        machine.begin_decision()
        batch = policy.form()
        if batch is not None:
            return batch


def described(machine: Machine, batch: Batch) -> Iteration:
    """Add up what an iteration of this batch costs, and the state while it runs."""
    m = machine
    decodes = [i for i in batch if m.stage[i] > 0]
    prefills = [i for i in batch if m.stage[i] == 0]
    assert all(batch[i] > 0 for i in prefills), "a prefill without tokens"
    decode_cached = sum(m.prompt[i] + m.stage[i] for i in decodes)
    return Iteration(
        decodes=len(decodes),
        prefills=len(prefills),
        prompt_tokens=sum(batch[i] for i in prefills),
        cached=decode_cached + sum(m.chunked[i] + batch[i] for i in prefills),
        decode_cached=decode_cached,
        footprint=m.used(batch),
        resident=len(m.residents()),
        waiting=len(m.waiting()) + len(m.swapped()),
    )

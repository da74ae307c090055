"""How an adversary and a deterministic policy talk, and how the talk becomes a static instance.

At each integer time t:

1. the adversary is told every start, completion and kill decided at times < t; it may release requests with
   arrival t, and it may say that it is done;
2. the policy sees what was released and decides at t.

So a release can answer a start at b only from time b + 1. At the end the released requests form an ordinary
instance. Because the policy is deterministic and sees no future, its run on what was released so far *is* its
past: `play` runs it again on the grown prefix after each release, checks that its past did not change, and at the
end replays it on the stored instance.

Families with one decisive start (the long request of A, A2 and B) use the shortcut `Probe`: run the policy on that
request alone, read b, build. Nothing is released before b, so both ways give the same instance.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from kvratio.problem.errors import BadParameter, PolicyError, RoundLimit
from kvratio.problem.instance import Instance
from kvratio.problem.schedule import Schedule

#: a deterministic policy: the same instance always gives the same schedule
Policy = Callable[[Instance], Schedule]


@dataclass(frozen=True, order=True)
class Event:
    """Something the policy did: ``what`` is start, completion or kill."""

    time: int
    request: int
    what: str


@dataclass(frozen=True)
class Release:
    """A request (prompt, output) that the adversary releases; predictions are left exact."""

    prompt: int
    output: int


class Adversary(Protocol):
    """What an adaptive adversary must offer."""

    memory: int

    def step(self, t: int, past: Sequence[Event]) -> tuple[Sequence[Release], bool]:
        """Return the requests released with arrival t, and whether nothing more will come.

        ``past`` holds the events at times < t, in order of (time, request); requests are numbered in the order of
        release.
        """
        ...


class Probe:
    """Reads when a policy first starts the only request of an instance, and remembers what the policy is called."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.label: str | None = getattr(policy, "label", None)

    def __call__(self, alone: Instance) -> int:
        """Return the first start of request 0."""
        schedule = run_policy(self.policy, alone)
        self.label = self.label or schedule.policy or None
        return int(schedule.first_start[0])


def run_policy(policy: Policy, inst: Instance) -> Schedule:
    """Run a policy given as a callable; refuse what is not a schedule of this instance."""
    schedule = policy(inst)
    if not isinstance(schedule, Schedule) or schedule.instance.key != inst.key:
        raise PolicyError(
            f"the policy under attack returned {schedule!r}: it must return a Schedule of the instance it got"
        )
    return schedule


def play(adversary: Adversary, policy: Policy, limit: int = 10**8) -> tuple[Instance, Schedule]:
    """Let an adversary act against a deterministic policy; return the static instance and the policy's schedule.

    Parameters
    ----------
    adversary : Adversary
    policy : callable Instance -> Schedule
    limit : int
        Last epoch at which the adversary is asked.

    Raises
    ------
    PolicyError
        The policy changed its past when later requests appeared, or its replay differs: it is not a deterministic
        online policy.
    RoundLimit
        The adversary was not done at the limit.
    BadParameter
        The adversary ended without releasing anything.
    """
    released: list[tuple[int, Release]] = []
    events: list[Event] = []
    known = 0
    for t in range(limit + 1):
        while known < len(events) and events[known].time < t:
            known += 1
        new, done = adversary.step(t, events[:known])
        if new:
            past = events[:known]
            released += [(t, release) for release in new]
            events = events_of(run_policy(policy, _static(adversary.memory, released)))
            if [event for event in events if event.time < t] != past:
                raise PolicyError(
                    f"the policy changed what it did before {t} when requests arrived at {t}: not an online policy"
                )
        if done:
            break
    else:
        raise RoundLimit(f"the adversary was not done at epoch {limit}: raise limit or let it end")
    if not released:
        raise BadParameter("the adversary released no request: an instance needs at least one")
    inst = _static(adversary.memory, released)
    return inst, replay(inst, policy, events)


def replay(inst: Instance, policy: Policy, events: Sequence[Event] | None = None) -> Schedule:
    """Run the policy on the stored instance; raise PolicyError unless it acts as recorded.

    ``events`` is the recorded past; without it the start in ``inst.info["start"]`` is compared (the first start of
    request 0, on which the families of `instances.families` depend).
    """
    schedule = run_policy(policy, inst)
    if events is not None:
        again = events_of(schedule)
        if again != list(events):
            first = next(
                (pair for pair in zip(again, events, strict=False) if pair[0] != pair[1]), ("its end", "its end")
            )
            raise PolicyError(f"replay differs from the run that made the instance: {first[0]} against {first[1]}")
    elif inst.info.get("start") is not None and int(schedule.first_start[0]) != inst.info["start"]:
        raise PolicyError(f"replay: request 0 starts at {int(schedule.first_start[0])}, built for {inst.info['start']}")
    return schedule


def events_of(schedule: Schedule) -> list[Event]:
    """Return every start, completion and kill of a schedule, sorted by time, request and kind."""
    found: list[Event] = []
    for row in schedule.attempts:
        i = int(row["request"])
        found.append(Event(int(row["start"]), i, "start"))
        found.append(Event(int(row["stop"]), i, "completion" if row["completed"] else "kill"))
    return sorted(found)


def _static(memory: int, released: Sequence[tuple[int, Release]]) -> Instance:
    return Instance(
        prompt=np.array([release.prompt for _, release in released], dtype=np.int64),
        output=np.array([release.output for _, release in released], dtype=np.int64),
        memory=memory,
        arrival=np.array([t for t, _ in released], dtype=np.int64),
    )


__all__ = ["Adversary", "Event", "Policy", "Probe", "Release", "events_of", "play", "replay", "run_policy"]

"""How long iterations take: by the device's own events, by the host's clock, or by a planted formula (for tests)."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from gpu_validate import libraries

FloatArray = npt.NDArray[np.float64]


class Laps(Protocol):
    """A stopwatch: `begin`, then `lap` behind every iteration, then `finish`."""

    def begin(self) -> None:
        """Start, with the device idle."""

    def lap(self) -> None:
        """Mark the end of an iteration in the order of the device's work."""

    def finish(self) -> FloatArray:
        """Wait for the device and return the seconds of each lap."""


class HostLaps:
    """The host's clock, for the CPU, where an iteration is over when its call returns."""

    def __init__(self) -> None:
        self._marks: list[float] = []

    def begin(self) -> None:
        """Start."""
        self._marks = [time.perf_counter()]

    def lap(self) -> None:
        """Mark the end of an iteration."""
        self._marks.append(time.perf_counter())

    def finish(self) -> FloatArray:
        """Return the seconds of each lap."""
        return np.diff(np.array(self._marks))


class EventLaps:
    """CUDA events in the stream of the model; laps follow one another without gaps, so they add up to the whole."""

    def __init__(self) -> None:
        self._events: list[Any] = []

    def begin(self) -> None:
        """Wait for the device, then start."""
        libraries.torch().cuda.synchronize()
        self._events = []
        self.lap()

    def lap(self) -> None:
        """Mark the end of an iteration."""
        event = libraries.torch().cuda.Event(enable_timing=True)
        event.record()
        self._events.append(event)

    def finish(self) -> FloatArray:
        """Wait for the device and return the seconds of each lap."""
        libraries.torch().cuda.synchronize()
        pairs = zip(self._events, self._events[1:], strict=False)
        return np.array([first.elapsed_time(second) / 1e3 for first, second in pairs])


def laps_on(device: Any) -> Laps:
    """Return the stopwatch that fits a device."""
    return EventLaps() if device.type == "cuda" else HostLaps()


def timed(work: Callable[[], None], device: Any, repeats: int, warm_up: int) -> FloatArray:
    """Return the seconds of ``repeats`` calls, after ``warm_up`` that do not count."""
    for _ in range(warm_up):
        work()
    watch = laps_on(device)
    watch.begin()
    for _ in range(repeats):
        work()
        watch.lap()
    return watch.finish()

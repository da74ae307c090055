"""The worker of an experiment: how long its iterations take and how much it holds."""

from __future__ import annotations

from dataclasses import dataclass

from kvratio.problem.clock import Clock, RooflineClock
from kvratio.problem.errors import BadParameter
from kvratio.problem.presets import find_preset

#: the clock of experiments that name none: the roofline form, as chunked prefill is compared nearly everywhere
DEFAULT_PRESET = "a100-llama2-7b-roofline"


@dataclass(frozen=True)
class Hardware:
    """One worker.

    Parameters
    ----------
    clock : Clock or RooflineClock
    memory : int
        C in tokens.
    block : int
        Memory is handed out in blocks of so many tokens.
    name : str
        Of the preset, for people.
    """

    clock: Clock | RooflineClock
    memory: int
    block: int = 1
    name: str = ""

    def __post_init__(self) -> None:
        for what, value in (("memory", self.memory), ("block", self.block)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise BadParameter(f"{what} is {value!r}: give a whole number of tokens, 1 or more")

    @classmethod
    def preset(cls, name: str = DEFAULT_PRESET, memory: int | None = None, block: int = 1) -> Hardware:
        """Return the worker of a preset (name, or file of a fitted clock), with another memory where it is given."""
        found = find_preset(name)
        return cls(found.clock, found.memory if memory is None else memory, block, found.name)

    @classmethod
    def of(cls, source: Hardware | str | None) -> Hardware:
        """Return a worker as it is, by the name of its preset, or the default one."""
        if isinstance(source, Hardware):
            return source
        return cls.preset() if source is None else cls.preset(source)

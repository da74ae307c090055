"""One run of a hook in the interpreted engine: the same loop, books and judgement, without machine code."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from algos.engine.state import REQUEST, STATE
from algos.plain.twin import Twins
from kvratio.problem.errors import PolicyError


class _Record:
    """A record of the view as an object: whole numbers only, and no field that the compiled view does not have."""

    __slots__: tuple[str, ...] = ()

    def __init__(self) -> None:
        for name in self.__slots__:
            object.__setattr__(self, name, 0)

    def __setattr__(self, name: str, value: Any) -> None:
        # As in the compiled view: every field holds an int64.
        object.__setattr__(self, name, int(value))

    def __getitem__(self, name: str) -> Any:
        return getattr(self, name)

    def __setitem__(self, name: str, value: Any) -> None:
        setattr(self, name, value)


class Request(_Record):
    """One row of ``View.req``."""

    __slots__ = tuple(str(name) for name in REQUEST.names or ())


class State(_Record):
    """The scalars, ``View.st[0]``."""

    __slots__ = tuple(str(name) for name in STATE.names or ())

    def __setattr__(self, name: str, value: Any) -> None:
        # The generator of random numbers works on the 64 bits of an int64.
        object.__setattr__(self, name, np.int64(value) if name == "coins" else int(value))


@cache
def _twins() -> Twins:
    return Twins()


@cache
def twin(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the plain Python twin of a function (`algos.plain.twin`), made once per process."""
    return _twins().of(function)


def run(decide: Callable[..., Any], view: Any, truth: Any, memory: int, keeps: int, coins: int, limit: int) -> Any:
    """Run a hook to its end as ``loop.prepare`` and ``loop.run_one`` do.

    Parameters
    ----------
    decide : callable
        The hook as written.
    view, truth
        As `algos.run.make_view` and `make_truth` lay them out; the records of the view are replaced by objects.
    memory, keeps, coins, limit : int

    Returns
    -------
    tuple of (int, View)
        The engine's code and the view as it was at the end.

    Raises
    ------
    PolicyError
        The hook ended the program or left the arrays it was given.
    """
    from algos.engine import loop

    records = view._replace(req=[Request() for _ in range(len(view.req))], st=[State()])
    hook = twin(decide)
    # Wrapping around is what compiled integers do; a division by zero is a fault there too.
    with np.errstate(over="ignore", divide="raise", invalid="raise"):
        twin(loop.prepare)(records, truth, memory, keeps, coins)
        try:
            code = twin(loop.run_one)(hook, records, truth, limit)
        except SystemExit as fault:
            raise PolicyError(f"the hook ends the program ({fault})") from fault
    return code, records

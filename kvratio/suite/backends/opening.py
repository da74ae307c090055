"""From the words of the command line to a backend."""

from __future__ import annotations

from kvratio.problem.errors import BadParameter
from kvratio.suite.backends.backend import Backend
from kvratio.suite.backends.processes import Processes
from kvratio.suite.backends.serial import Serial
from kvratio.suite.progress import Reporter
from kvratio.suite.workers import worker_count

NAMES = ("serial", "processes", "dask")


def require_backend(name: str | None, scheduler: str | None, workers: int | None) -> str | None:
    """Return the backend that is meant, before anything is started; None leaves it to the number of workers.

    Raises
    ------
    BadParameter
        No such backend, or an address without dask.
    """
    if name is None and scheduler is not None:
        name = "dask"
    if name not in (None, *NAMES):
        raise BadParameter(f"backend is {name!r}: choose one of {', '.join(NAMES)}")
    if scheduler is not None and name != "dask":
        raise BadParameter(f"scheduler is given with backend {name}: only dask has one; leave one of them out")
    if scheduler is not None and workers is not None:
        raise BadParameter("workers is given with a scheduler: the cluster there says how many; leave one of them out")
    if name == "serial" and worker_count(workers or 1) > 1:
        raise BadParameter(f"workers is {workers} with backend serial: it works in one process; leave one of them out")
    return name


def open_backend(name: str | None, scheduler: str | None, workers: int | None, own: bool, told: Reporter) -> Backend:
    """Start a backend.

    Parameters
    ----------
    name : {"serial", "processes", "dask"}, optional
        Default: processes; with one worker and no users' code, serial.
    scheduler : str, optional
        Address of a dask scheduler.
    workers : int, optional
        Default: the cores this process may use.
    own : bool
        Whether the suite runs users' code, which may end its process.
    told : Reporter
    """
    name = require_backend(name, scheduler, workers)
    if name == "dask":
        from kvratio.suite.backends.cluster import Dask

        return Dask(worker_count(workers), scheduler, told)
    count = worker_count(workers)
    if name == "serial" or (name is None and count == 1 and not own):
        return Serial()
    return Processes(count, own, told)


__all__ = ["NAMES", "open_backend", "require_backend"]

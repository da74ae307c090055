"""Processes on one machine: a pool for the common case, one process alone for a unit that kills its worker."""

from __future__ import annotations

import os
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any, TypeVar

import joblib
from joblib.externals.loky import ProcessPoolExecutor
from joblib.externals.loky.process_executor import BrokenProcessPool

from kvratio.problem.errors import BadParameter, KvratioError

Result = TypeVar("Result")


class WorkerDied(KvratioError):
    """A worker process ended without an answer."""


def worker_count(workers: int | None) -> int:
    """Return the number of processes: as asked, or the cores this process may use."""
    if workers is None:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if isinstance(workers, bool) or not isinstance(workers, int) or workers < 1:
        raise BadParameter(f"workers is {workers!r}: give a number of processes >= 1")
    return workers


def _in_worker(parent: int, function: Callable[..., Result], task: tuple[Any, ...]) -> Result:
    """Run a task in a worker that ends with its parent: a killed run must not leave processes behind."""
    _leave_with(parent)
    return function(*task)


@cache
def _leave_with(parent: int) -> None:
    """Watch, once per process, whether the parent is still there; Ctrl-C is for the parent alone."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def parallel(
    function: Callable[..., Result], tasks: Sequence[tuple[Any, ...]], workers: int, isolate: bool = False
) -> Iterator[Result]:
    """Yield the results of a function over tasks as they come, in no particular order.

    With one worker everything happens in this process, or with ``isolate`` in one other; with more, nothing does here,
    so that no task can end it.

    Raises
    ------
    WorkerDied
        A worker was killed or crashed; the results of tasks in flight are lost.
    """
    if workers == 1 and not isolate:
        for task in tasks:
            yield function(*task)
        return
    if workers == 1:
        yield from _one_by_one(function, tasks)
        return
    with joblib.parallel_config(backend="loky", inner_max_num_threads=1):
        pool = joblib.Parallel(n_jobs=workers, return_as="generator_unordered", batch_size=1, pre_dispatch="2*n_jobs")
        with warnings.catch_warnings():
            # A worker that has compiled a lot is replaced by a fresh one; nothing is lost.
            warnings.filterwarnings("ignore", message="A worker stopped while some jobs", category=UserWarning)
            try:
                yield from pool(joblib.delayed(_in_worker)(os.getpid(), function, task) for task in tasks)
            except BrokenProcessPool as fault:
                raise WorkerDied(f"a worker process died ({fault})") from fault


def _one_by_one(function: Callable[..., Result], tasks: Sequence[tuple[Any, ...]]) -> Iterator[Result]:
    """Run tasks in order in one process beside this one."""
    with ProcessPoolExecutor(max_workers=1) as pool:
        for task in tasks:
            try:
                yield pool.submit(_in_worker, os.getpid(), function, task).result()
            except BrokenProcessPool as fault:
                raise WorkerDied(f"the worker process died ({fault})") from fault


def alone(function: Callable[..., Result], *task: Any) -> Result:
    """Run one task in a fresh process of its own; raise WorkerDied if that process ends."""
    with ProcessPoolExecutor(max_workers=1) as pool:
        try:
            return pool.submit(_in_worker, os.getpid(), function, task).result()
        except BrokenProcessPool as fault:
            raise WorkerDied(f"the worker process died ({fault})") from fault

"""Iterations without prompts as CUDA graphs: launched in one call, so that the host does not hold the device up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from gpu_validate import libraries

if TYPE_CHECKING:
    from gpu_validate.executor import Executor

#: batch sizes that are captured; a batch is padded up to the next
SIZES = (1, 2, 4, 8, 12, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256)
#: forward passes before a capture, so that nothing is compiled or allocated inside it
WARM_UP = 2


def padded(batch: int) -> int:
    """Return the size that a batch is padded to, 0 where it is too large for any."""
    return next((size for size in SIZES if size >= batch), 0)


class Graphs:
    """Captured iterations of one executor.

    Parameters
    ----------
    executor : Executor
    wanted : bool
        False: `run` always declines.

    Attributes
    ----------
    trouble : str
        Why capture failed, empty while it works; then every iteration is launched kernel by kernel.
    """

    def __init__(self, executor: Executor, wanted: bool) -> None:
        self.executor, self.wanted = executor, wanted
        self.trouble = ""
        if wanted and not getattr(executor.attention.decode, "any_length", False):
            self.trouble = "this decode attention is laid out for one length, a graph for all"
        self._captured: dict[int, tuple[Any, Any]] = {}
        self._pool: Any = None
        self._side: Any = None

    def prepare(self, batches: Iterable[int]) -> None:
        """Capture what a run will need: the batch sizes of its iterations without prompts."""
        for size in sorted({padded(batch) for batch in batches}, reverse=True):
            if size and size not in self._captured and self.wanted and not self.trouble:
                self._capture(size)

    def run(self, decodes: Sequence[tuple[int, int]]) -> bool:
        """Launch an iteration if it was captured; else return False."""
        size = padded(len(decodes))
        if size not in self._captured:
            return False
        graph, static = self._captured[size]
        owned, spare = self.executor.cache.owned, self._spare
        columns = [(request, at, owned[request][at]) for request, at in decodes]
        columns += [spare] * (size - len(columns))
        static.copy_(self.executor.upload(columns))
        graph.replay()
        return True

    def drop(self) -> None:
        """Forget all captures and the memory they hold."""
        self._captured.clear()
        self._pool = None

    @property
    def _spare(self) -> tuple[int, int, int]:
        """What fills a batch up: it reads and writes a row and a slot that belong to nobody."""
        return (self.executor.limits.requests, 0, self.executor.cache.spare)

    def _capture(self, size: int) -> None:
        torch = libraries.torch()
        executor = self.executor
        longest = executor.limits.longest
        static = executor.upload([self._spare] * size)
        try:
            # One stream for all: each has a workspace of its own for matrix products.
            side = self._side = self._side or torch.cuda.Stream()
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                for _ in range(WARM_UP):
                    executor.forward(static, size, longest)
            torch.cuda.current_stream().wait_stream(side)
            torch.cuda.synchronize()
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, pool=self._pool):
                executor.forward(static, size, longest)
            self._pool = graph.pool()
        except Exception as fault:  # torch or a compiler; told in the results, and iterations go kernel by kernel
            reason = str(fault).splitlines()[0] if str(fault) else ""
            self.trouble = f"capture of a batch of {size} failed: {type(fault).__name__}: {reason}"
            self.drop()
            return
        self._captured[size] = (graph, static)

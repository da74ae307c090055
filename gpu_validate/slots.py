"""The key-value cache: exactly M slots of one token each, handed out one by one."""

from __future__ import annotations

from typing import Any

from gpu_validate import libraries
from gpu_validate.faults import ReplayFault
from gpu_validate.shapes import ModelShape


class SlotCache:
    """M token slots, a page of one token each, so that nothing is rounded up and no request needs a free stretch.

    Every layer has one key and one value tensor of shape (M + 1, key-value heads, head dimension). The last row belongs
    to nobody: padding writes there, and no request reads it.

    Parameters
    ----------
    shape : ModelShape
    memory : int
        M; a run may ask for fewer (`empty`).
    device, dtype : torch device and dtype

    Attributes
    ----------
    owned : dict of int to list of int
        The slots of each resident request, by position in its sequence. One more than what is written while the request
        runs: the round's new token has its slot, as in the model.
    """

    def __init__(self, shape: ModelShape, memory: int, device: Any, dtype: Any) -> None:
        torch = libraries.torch()
        size = (memory + 1, shape.kv_heads, shape.head_dim)
        self.memory, self.spare = memory, memory
        self.keys = [torch.zeros(size, device=device, dtype=dtype) for _ in range(shape.layers)]
        self.values = [torch.zeros(size, device=device, dtype=dtype) for _ in range(shape.layers)]
        self._free: list[int] = []
        self.owned: dict[int, list[int]] = {}
        self.peak = 0
        self.empty(memory)

    def empty(self, memory: int) -> None:
        """Begin again with exactly ``memory`` free slots, at most as many as were laid out."""
        self.memory, self.peak = memory, 0
        self._free = list(range(memory - 1, -1, -1))
        self.owned.clear()

    @property
    def held(self) -> int:
        """Slots that requests hold."""
        return self.memory - len(self._free)

    def give(self, request: int, count: int) -> list[int]:
        """Hand ``count`` more slots to a request and return all it has.

        Raises
        ------
        ReplayFault
            When the cache has fewer left.
        """
        if count > len(self._free):
            raise ReplayFault(
                f"request {request} needs {count} more tokens; the cache of {self.memory} holds {self.held} already"
            )
        slots = self.owned.setdefault(request, [])
        for _ in range(count):
            slots.append(self._free.pop())
        self.peak = max(self.peak, self.held)
        return slots

    def take_back(self, request: int) -> None:
        """Free all slots of a request."""
        self._free.extend(reversed(self.owned.pop(request)))

    def copy_out(self, request: int, count: int) -> list[Any]:
        """Return a copy in host memory of the first ``count`` tokens of a request, layer by layer."""
        at = self._index(self.owned[request][:count])
        return [(k[at].cpu(), v[at].cpu()) for k, v in zip(self.keys, self.values, strict=True)]

    def copy_in(self, request: int, kept: list[Any]) -> None:
        """Write back what `copy_out` returned into the first slots of a request."""
        at = self._index(self.owned[request][: len(kept[0][0])])
        for k, v, (old_k, old_v) in zip(self.keys, self.values, kept, strict=True):
            k[at], v[at] = old_k.to(k.device), old_v.to(v.device)

    def _index(self, slots: list[int]) -> Any:
        return libraries.torch().tensor(slots, device=self.keys[0].device)

"""Does a schedule fit a model and a device? Asked before anything is loaded, with the arithmetic shown."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gpu_validate.faults import DoesNotFit
from gpu_validate.shapes import GIB, ModelShape, width
from gpu_validate.timeline import Timeline
from kvratio.problem.instance import Instance

#: tokens computed at once in a calibration, where no schedule says more
USUAL_TOKENS = 4096


@dataclass(frozen=True)
class Need:
    """Bytes that a replay takes.

    Parameters
    ----------
    shape : ModelShape
    dtype : str
    memory : int
        M, in tokens.
    tokens : int
        Most tokens computed in one iteration.
    """

    shape: ModelShape
    dtype: str
    memory: int
    tokens: int = USUAL_TOKENS

    @property
    def cache(self) -> int:
        """Bytes of M token slots."""
        return self.memory * self.shape.token_bytes(self.dtype)

    @property
    def weights(self) -> int:
        """Bytes of the weights."""
        return self.shape.weight_bytes(self.dtype)

    @property
    def workspace(self) -> int:
        """Bytes of activations of the largest iteration and of logits: an estimate, on the high side."""
        s = self.shape
        per_token = (6 * s.hidden + 3 * s.intermediate) * width(self.dtype)
        return self.tokens * per_token + min(self.tokens, 512) * s.vocabulary * (4 + width(self.dtype))

    @property
    def total(self) -> int:
        """Bytes in all."""
        return self.cache + self.weights + self.workspace

    def arithmetic(self) -> str:
        """The sum, as a reader would check it."""
        s = self.shape
        return (
            f"M = {self.memory} tokens x {s.token_bytes(self.dtype)} bytes (2 x {s.layers} layers x {s.kv_heads} "
            f"key-value heads x {s.head_dim} x {width(self.dtype)} bytes) = {_gib(self.cache)} of cache, "
            f"+ {s.parameters} weights x {width(self.dtype)} bytes = {_gib(self.weights)}, "
            f"+ about {_gib(self.workspace)} of workspace = {_gib(self.total)}"
        )

    def check(self, available: int, where: str) -> None:
        """Raise `DoesNotFit` where a device has less than this.

        Parameters
        ----------
        available : int
            Free bytes.
        where : str
            The device, for the message.
        """
        if self.total > available:
            raise DoesNotFit(
                f"{self.shape.name} in {self.dtype} does not fit {where}: {self.arithmetic()}, "
                f"but {_gib(available)} are free: lower the instance's memory or take a smaller model"
            )


def check_positions(inst: Instance, shape: ModelShape) -> None:
    """Raise `DoesNotFit` where a request is longer than the model can read."""
    longest = int(np.argmax(inst.peak))
    if int(inst.peak[longest]) > shape.positions:
        raise DoesNotFit(
            f"request {longest} has {inst.prompt[longest]} + {inst.output[longest]} = {inst.peak[longest]} tokens; "
            f"{shape.name} reads at most {shape.positions}: leave it out or take another model"
        )


def need_of(timeline: Timeline, shape: ModelShape, dtype: str) -> Need:
    """Return what the replay of a schedule takes, refusing requests that are longer than the model can read."""
    inst = timeline.schedule.instance
    check_positions(inst, shape)
    loads = timeline.loads
    return Need(shape, dtype, inst.memory, int((loads.prompt + loads.batch).max()))


def _gib(count: int) -> str:
    return f"{count / GIB:.2f} GiB" if count >= 0.01 * GIB else f"{count / 2**20:.2f} MiB"

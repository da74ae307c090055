"""What an instance of unit rounds and a draw of requests in seconds share: read-only columns of one length."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import numpy.typing as npt


class Columns:
    """A row a request; ``info`` says where the columns come from."""

    if TYPE_CHECKING:
        prompt: npt.NDArray[np.int64]
        info: Mapping[str, Any]

    @property
    def n(self) -> int:
        """Number of requests."""
        return len(self.prompt)

    def __len__(self) -> int:
        return len(self.prompt)

    # A mapping proxy does not pickle.
    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "info": dict(self.info)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, info=MappingProxyType(state["info"]))

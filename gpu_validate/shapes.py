"""The shape of a model: how many bytes a token of its cache and its weights take. No library needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kvratio.problem.errors import BadParameter, UnknownName

#: bytes of one number
WIDTH = {"bfloat16": 2, "float16": 2, "float32": 4, "float64": 8}
GIB = 1024**3


@dataclass(frozen=True)
class ModelShape:
    """Sizes of a decoder model.

    Parameters
    ----------
    name : str
    layers, hidden, heads, kv_heads, head_dim, intermediate, vocabulary : int
    positions : int
        Longest sequence, in tokens.
    rope_theta : float
        Base of the rotary embedding (only for random weights).
    parameters : int, optional
        Weights; default: those of the Llama architecture of these sizes, embeddings not shared.
    """

    name: str
    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    intermediate: int
    vocabulary: int
    positions: int
    rope_theta: float = 10000.0
    parameters: int = 0

    def __post_init__(self) -> None:
        if not self.parameters:
            attention = 2 * self.hidden * self.head_dim * (self.heads + self.kv_heads)
            layer = attention + 3 * self.hidden * self.intermediate + 2 * self.hidden
            total = self.layers * layer + 2 * self.vocabulary * self.hidden + self.hidden
            object.__setattr__(self, "parameters", total)

    def token_bytes(self, dtype: str) -> int:
        """Bytes of key-value cache per token: 2 x layers x key-value heads x head dimension x bytes of a number."""
        return 2 * self.layers * self.kv_heads * self.head_dim * width(dtype)

    def weight_bytes(self, dtype: str) -> int:
        """Bytes of the weights."""
        return self.parameters * width(dtype)

    @classmethod
    def of_config(cls, config: Any, name: str, parameters: int = 0) -> ModelShape:
        """Read the sizes from a configuration of the transformers library."""
        heads = config.num_attention_heads
        return cls(
            name=name,
            layers=config.num_hidden_layers,
            hidden=config.hidden_size,
            heads=heads,
            kv_heads=getattr(config, "num_key_value_heads", None) or heads,
            head_dim=getattr(config, "head_dim", None) or config.hidden_size // heads,
            intermediate=getattr(config, "intermediate_size", 0) or 0,
            vocabulary=config.vocab_size,
            positions=config.max_position_embeddings,
            parameters=parameters,
        )


def width(dtype: str) -> int:
    """Bytes of one number of a dtype, by name."""
    if dtype not in WIDTH:
        raise BadParameter(f"dtype is {dtype!r}: choose one of {', '.join(WIDTH)}")
    return WIDTH[dtype]


#: shapes for random weights: latency does not depend on the values. Sizes as in the published configurations.
SHAPES: Mapping[str, ModelShape] = {
    shape.name: shape
    for shape in (
        ModelShape("llama-2-7b", 32, 4096, 32, 32, 128, 11008, 32000, 4096),
        ModelShape("llama-3-8b", 32, 4096, 32, 8, 128, 14336, 128256, 8192, 500000.0),
        ModelShape("tiny", 2, 64, 4, 2, 16, 128, 256, 4096),
    )
}


def shape(name: str) -> ModelShape:
    """Return a shape by name.

    Raises
    ------
    UnknownName
    """
    if name not in SHAPES:
        raise UnknownName(f"no shape {name!r} for random weights: choose one of {', '.join(SHAPES)}")
    return SHAPES[name]

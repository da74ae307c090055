"""KV memory in tokens, from the bytes of a GPU and the shape of a model, with the sum shown."""

from __future__ import annotations

import math
from dataclasses import dataclass

from kvratio.problem.errors import BadParameter, UnknownName
from stability.capacity.checks import number

#: bytes of one number
DTYPES = {"fp32": 4.0, "fp16": 2.0, "bf16": 2.0, "fp8": 1.0, "int8": 1.0, "int4": 0.5}
#: bytes of a word after a number
UNITS = {"": 1.0, "B": 1.0, "KB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 2.0**10, "MiB": 2.0**20, "GiB": 2.0**30}


@dataclass(frozen=True)
class ModelShape:
    """What the KV memory of a decoder depends on.

    Attributes
    ----------
    layers : int
    kv_heads : int
        Heads of keys and values; fewer than the query heads where groups of these share them.
    head_dim : int
    parameters : float
        Weights, a count.
    name : str
    """

    layers: int
    kv_heads: int
    head_dim: int
    parameters: float
    name: str = ""

    def __post_init__(self) -> None:
        for name in ("layers", "kv_heads", "head_dim"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise BadParameter(f"model: {name} is {value!r}: give a whole number, 1 or more")
        number("parameters", self.parameters, "the number of weights, above 0")


#: shapes as the model cards of their makers state them
SHAPES = {
    shape.name: shape
    for shape in (
        ModelShape(32, 32, 128, 6.74e9, "llama-2-7b"),
        ModelShape(40, 40, 128, 13.02e9, "llama-2-13b"),
        ModelShape(80, 8, 128, 68.98e9, "llama-2-70b"),
        ModelShape(32, 8, 128, 8.03e9, "llama-3-8b"),
        ModelShape(80, 8, 128, 70.55e9, "llama-3-70b"),
        ModelShape(32, 8, 128, 7.24e9, "mistral-7b"),
    )
}


@dataclass(frozen=True)
class KVMemory:
    """KV memory of one worker.

    Attributes
    ----------
    tokens : int
        M.
    bytes_per_token : float
        On each GPU.
    lines : tuple of str
        The sum, line by line.
    """

    tokens: int
    bytes_per_token: float
    lines: tuple[str, ...]


def model_shape(text: str | ModelShape) -> ModelShape:
    """Return a shape by name, or from ``layers:kv_heads:head_dim:parameters``, such as ``32:8:128:8.03e9``.

    Raises
    ------
    UnknownName, BadParameter
    """
    if isinstance(text, ModelShape):
        return text
    if text in SHAPES:
        return SHAPES[text]
    parts = text.split(":")
    if len(parts) != 4:
        raise UnknownName(
            f"no model {text!r}: choose one of {', '.join(SHAPES)}, or write LAYERS:KV_HEADS:HEAD_DIM:PARAMETERS"
        )
    try:
        layers, heads, dim = (int(part) for part in parts[:3])
        return ModelShape(layers, heads, dim, float(parts[3]), text)
    except ValueError as fault:
        if isinstance(fault, BadParameter):
            raise
        raise BadParameter(f"model {text!r}: write LAYERS:KV_HEADS:HEAD_DIM:PARAMETERS, such as 32:8:128:8e9") from None


def bytes_of(text: str | float) -> float:
    """Return the bytes that a text such as ``80GB`` or ``40GiB`` names.

    Raises
    ------
    BadParameter
    """
    if isinstance(text, (int, float)):
        return number("bytes", text, "bytes above 0")
    digits = text.strip().rstrip("BKMGiTkmgt ")
    unit = text.strip()[len(digits) :].strip()
    try:
        value = float(digits)
    except ValueError:
        value = math.nan
    if unit not in UNITS or not math.isfinite(value) or value <= 0:
        raise BadParameter(f"{text!r} is no amount of memory: write 80GB or 40GiB ({', '.join(filter(None, UNITS))})")
    return value * UNITS[unit]


def kv_memory(
    gpu_bytes: str | float,
    model: str | ModelShape,
    dtype: str = "fp16",
    *,
    kv_dtype: str | None = None,
    share: float = 0.9,
    activations: str | float | None = None,
    tensor_parallel: int = 1,
) -> KVMemory:
    """Return the tokens of keys and values that fit beside the weights.

    Parameters
    ----------
    gpu_bytes : str or float
        Memory of one GPU, bytes or a text such as ``80GB``.
    model : str or ModelShape
        A name of `SHAPES`, or ``layers:kv_heads:head_dim:parameters``.
    dtype, kv_dtype : str
        Of the weights, and of keys and values (default: the same); one of `DTYPES`.
    share : float
        Part of the GPU that the engine may use, in (0, 1].
    activations : str or float, optional
        Bytes that the engine needs beside weights and keys on each GPU. Default: none, so M is an upper estimate.
    tensor_parallel : int
        GPUs of one worker. Each holds its share of the weights and of the heads, at least one head.

    Raises
    ------
    BadParameter, UnknownName
        Values without meaning, or no room for a single token.

    Notes
    -----
    A token takes ``2 x layers x kv_heads x head_dim x bytes``. What an engine reports when it starts is better: it
    has measured the activations.
    """
    shape, total = model_shape(model), bytes_of(gpu_bytes)
    used = number("share", share, "the part of the GPU that may be used, above 0 and at most 1")
    if used > 1:
        raise BadParameter(f"share is {share!r}: give the part of the GPU that may be used, above 0 and at most 1")
    if isinstance(tensor_parallel, bool) or not isinstance(tensor_parallel, int) or tensor_parallel < 1:
        raise BadParameter(f"tensor_parallel is {tensor_parallel!r}: give the GPUs of one worker, 1 or more")
    keys = dtype if kv_dtype is None else kv_dtype
    heads = math.ceil(shape.kv_heads / tensor_parallel)
    weights = shape.parameters * _bytes(dtype) / tensor_parallel
    beside = 0.0 if activations is None else bytes_of(activations)
    each = 2 * shape.layers * heads * shape.head_dim * _bytes(keys)
    left = used * total - weights - beside
    tokens = math.floor(left / each)
    if tokens < 1:
        raise BadParameter(
            f"{shape.name or 'model'}: weights take {weights / 1e9:.2f} GB of {used * total / 1e9:.2f} GB per GPU, so "
            "no token fits: take more GPUs per worker, a smaller dtype or a larger GPU"
        )
    lines = (
        f"GPU {total / 1e9:.2f} GB x {used:g} usable = {used * total / 1e9:.2f} GB",
        f"weights {shape.parameters / 1e9:.2f}e9 x {_bytes(dtype):g} bytes / {tensor_parallel} GPU = "
        f"{weights / 1e9:.2f} GB",
        f"activations {beside / 1e9:.2f} GB" + (" (not given)" if activations is None else ""),
        f"one token: 2 x {shape.layers} layers x {heads} heads x {shape.head_dim} x {_bytes(keys):g} bytes = "
        f"{each:.0f} bytes",
        f"({used * total / 1e9:.2f} - {weights / 1e9:.2f} - {beside / 1e9:.2f}) GB / {each:.0f} bytes = "
        f"{tokens} tokens",
    )
    return KVMemory(tokens, each, lines)


def _bytes(dtype: str) -> float:
    if dtype not in DTYPES:
        raise UnknownName(f"no dtype {dtype!r}: choose one of {', '.join(DTYPES)}")
    return DTYPES[dtype]

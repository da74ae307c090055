"""The model: a local folder, a hub id, or random weights of a known shape, made on the device."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gpu_validate import libraries
from gpu_validate.faults import UnsupportedModel
from gpu_validate.shapes import SHAPES, ModelShape, shape
from kvratio.problem.errors import BadParameter, UnknownName

#: standard deviation of random weights; larger than in training, so that greedy choices are clear
SPREAD = 0.05
#: below so many weights more threads only make times longer and scattered
SMALL = 100_000_000


class Source:
    """Where a model comes from; its shape is known before its weights are loaded.

    Parameters
    ----------
    model : str, optional
        Local folder or hub id.
    random_weights : str, optional
        Name of a shape (`gpu_validate.shapes.SHAPES`).

    Raises
    ------
    BadParameter
        Neither or both are given.
    UnknownName
        No such shape, no such folder, or a hub id that cannot be read.
    UnsupportedModel
        Attention that does not go through the library's interface, or that does not see all earlier tokens.
    """

    def __init__(self, model: str | None = None, random_weights: str | None = None) -> None:
        if (model is None) == (random_weights is None):
            raise BadParameter("give either --model FOLDER_OR_HUB_ID or --random-weights SHAPE, such as tiny")
        self.model, self.random = model, random_weights
        self._config: Any = None
        if random_weights is not None:
            self.shape = shape(random_weights)
        else:
            libraries.require()
            self._config = _read_config(str(model))
            self.shape = ModelShape.of_config(self._config, str(model), _count_weights(self._config))

    @classmethod
    def of(cls, name: str) -> Source:
        """Return random weights where ``name`` is a shape, else the model of that folder or hub id."""
        return cls(random_weights=name) if name in SHAPES else cls(model=name)

    @property
    def name(self) -> str:
        """For tables: the shape or the model."""
        return f"{self.random} (random weights)" if self.random else str(self.model)

    def load(self, device: Any, dtype: str, seed: int = 0) -> Any:
        """Return the model on the device, in evaluation mode; a small one on the CPU takes torch to one thread.

        Parameters
        ----------
        device : torch device
        dtype : str
        seed : int
            Of random weights.
        """
        libraries.require()
        torch = libraries.torch()
        number = getattr(torch, dtype)
        if device.type == "cpu" and self.shape.parameters < SMALL:
            torch.set_num_threads(1)
        if self.random is not None:
            return _random_llama(self.shape, device, number, seed)
        from transformers import AutoModelForCausalLM

        try:
            model = AutoModelForCausalLM.from_pretrained(self.model, dtype=number)
        except OSError as fault:
            raise UnknownName(_no_weights(str(self.model), fault)) from fault
        return model.to(device).eval()


def _random_llama(sizes: ModelShape, device: Any, dtype: Any, seed: int) -> Any:
    """Make a Llama model on the device itself: nothing passes through host memory."""
    torch = libraries.torch()
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=sizes.vocabulary,
        hidden_size=sizes.hidden,
        intermediate_size=sizes.intermediate,
        num_hidden_layers=sizes.layers,
        num_attention_heads=sizes.heads,
        num_key_value_heads=sizes.kv_heads,
        head_dim=sizes.head_dim,
        max_position_embeddings=sizes.positions,
        rope_parameters={"rope_type": "default", "rope_theta": sizes.rope_theta},
        initializer_range=SPREAD,
        tie_word_embeddings=False,
        bos_token_id=1,
        eos_token_id=None,
        pad_token_id=None,
    )
    config._attn_implementation = "sdpa"
    torch.manual_seed(seed)
    with _default_dtype(dtype), torch.device(device):
        model = LlamaForCausalLM(config)
    return model.to(device=device, dtype=dtype).eval()


@contextmanager
def _default_dtype(dtype: Any) -> Iterator[None]:
    torch = libraries.torch()
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def _read_config(model: str) -> Any:
    from transformers import AutoConfig

    if Path(model).is_absolute() and not Path(model).is_dir():
        raise UnknownName(f"{model}: there is no such folder: give a folder with config.json and weights")
    try:
        config = AutoConfig.from_pretrained(model)
    except (OSError, ValueError) as fault:
        raise UnknownName(_no_weights(model, fault)) from fault
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
    if kinds != {"full_attention"} or getattr(config, "sliding_window", None):
        raise UnsupportedModel(f"{model}: its layers do not all attend to all earlier tokens; take a Llama-like model")
    return config


def _count_weights(config: Any) -> int:
    """Count the weights on a device that stores none."""
    torch = libraries.torch()
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    if not getattr(model, "_supports_attention_backend", False):
        raise UnsupportedModel(f"{type(model).__name__} does not use the library's attention interface")
    return sum(weight.numel() for weight in model.parameters())


def _no_weights(model: str, fault: Exception) -> str:
    reason = str(fault).strip().splitlines()[0]
    return f"{model} cannot be read ({reason}): give a local folder with weights, or --random-weights SHAPE"

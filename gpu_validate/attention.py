"""Attention over the slot cache, plugged into the library's attention interface."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from gpu_validate import libraries
from gpu_validate.batch import Batch
from gpu_validate.faults import UnsupportedModel
from gpu_validate.slots import SlotCache

#: (query[b, heads, d], layer's keys, layer's values, batch, scale) -> output[b, heads, d]
Decode = Callable[[Any, Any, Any, Batch, float], Any]

_numbers = itertools.count()


def gathered(query: Any, keys: Any, values: Any, batch: Batch, scale: float) -> Any:
    """Attend to cached tokens by copying them together: plain, for every device, and the reference for the others.

    The query heads that share a key-value head stand as successive queries of that head, so nothing is repeated.
    """
    torch = libraries.torch()
    count, heads, size = query.shape
    shared = keys.shape[1]
    places = torch.arange(batch.longest, device=query.device)
    slots = batch.table[batch.rows, : batch.longest]
    mask = (places[None, :] < batch.lengths[:, None])[:, None, None, :]
    answer = torch.nn.functional.scaled_dot_product_attention(
        query.view(count, shared, heads // shared, size),
        keys[slots].transpose(1, 2),
        values[slots].transpose(1, 2),
        attn_mask=mask,
        scale=scale,
    )
    return answer.reshape(count, heads, size)


def prompts(query: Any, key: Any, value: Any, batch: Batch, scale: float) -> Any:
    """Attend within fresh prompts, causally; equal lengths in a row go in one call. Shapes (tokens, heads, d)."""
    torch = libraries.torch()
    out = torch.empty_like(query)
    start = 0
    for length, count in batch.prompts:
        stop = start + length * count
        q, k, v = (x[start:stop].view(count, length, x.shape[1], -1).transpose(1, 2) for x in (query, key, value))
        answer = torch.nn.functional.scaled_dot_product_attention(
            q, k, v, is_causal=True, scale=scale, enable_gqa=q.shape[1] != k.shape[1]
        )
        out[start:stop] = answer.transpose(1, 2).reshape(stop - start, *out.shape[1:])
        start = stop
    return out


def allow_cudnn(device: Any, wanted: bool) -> bool:
    """Say whether torch may attend by cuDNN on a device and return what it might before; nothing changes on the CPU.

    On Hopper torch may prefer cuDNN, which builds a plan for every new length, on the host and in the middle of an
    iteration. A replay meets hundreds of lengths, most of them once, so it would time the building of plans.
    """
    if device.type != "cuda":
        return wanted
    switch = libraries.torch().backends.cuda
    before = bool(switch.cudnn_sdp_enabled())
    switch.enable_cudnn_sdp(wanted)
    return before


class SlotAttention:
    """The attention function of one executor, under a name of its own in the library's register.

    Parameters
    ----------
    cache : SlotCache
    decode : callable
        How decodes attend to cached tokens, such as `gathered`.

    Attributes
    ----------
    name : str
        What ``config._attn_implementation`` must say for a model to use it.
    batch : Batch or None
        The iteration under way; set before every forward pass.
    """

    def __init__(self, cache: SlotCache, decode: Decode = gathered) -> None:
        from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

        self.cache, self.decode = cache, decode
        self.batch: Batch | None = None
        self.name = f"kvratio_slots_{next(_numbers)}"
        ALL_ATTENTION_FUNCTIONS.register(self.name, self)

    def __call__(
        self,
        module: Any,
        query: Any,
        key: Any,
        value: Any,
        attention_mask: Any = None,
        scaling: float | None = None,
        **options: Any,
    ) -> tuple[Any, None]:
        """Write the new keys and values into their slots and attend; the library calls this in every layer.

        Parameters
        ----------
        module
            The attention layer; ``layer_idx`` says which.
        query, key, value : (1, heads, tokens, d)
        attention_mask
            Not used: each sequence sees its own tokens only.
        scaling : float, optional
            Default: d ** -0.5.
        **options
            Those that would change the result are refused.

        Returns
        -------
        ((1, tokens, heads, d), None)
        """
        batch = self.batch
        if batch is None:
            raise UnsupportedModel("the model was called outside a replay while its attention belongs to one")
        for name in ("sliding_window", "softcap", "position_bias", "s_aux"):
            if options.get(name) is not None:
                raise UnsupportedModel(f"the model's attention uses {name}, which this replay does not compute")
        torch = libraries.torch()
        scale = query.shape[-1] ** -0.5 if scaling is None else scaling
        q, k, v = (x[0].transpose(0, 1) for x in (query, key, value))
        keys, values = self.cache.keys[module.layer_idx], self.cache.values[module.layer_idx]
        keys.index_copy_(0, batch.slots, k)
        values.index_copy_(0, batch.slots, v)
        d = batch.decodes
        parts = []
        if d:
            parts.append(self.decode(q[:d].contiguous(), keys, values, batch, scale))
        if batch.prompts:
            parts.append(prompts(q[d:], k[d:], v[d:], batch, scale))
        return (parts[0] if len(parts) == 1 else torch.cat(parts))[None], None

# mypy: disable-error-code="no-untyped-def"
"""Decode attention that reads keys and values where they lie, for CUDA: one program per request, head and stretch.

Loaded only where a CUDA device and triton are there; `gpu_validate.backends` checks it against the plain form first.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl

from gpu_validate.batch import Batch

#: programs that keep a large device busy; fewer (request, head) pairs are cut into stretches
BUSY = 264
#: most stretches that one request's tokens are cut into
MOST_STRETCHES = 16
#: tokens read at a time
TOKENS = 64


@triton.jit
def _attend(
    query, keys, values, table, rows, lengths, out, weight, scale, table_row, slot_step,
    GROUP: tl.constexpr, PADDED: tl.constexpr, SIZE: tl.constexpr, BLOCK: tl.constexpr, STRETCHES: tl.constexpr,
    PRECISION: tl.constexpr,
):  # fmt: skip
    one, head, stretch = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    heads = tl.num_programs(1)
    row = tl.load(rows + one)
    length = tl.load(lengths + one).to(tl.int32)
    share = tl.cdiv(tl.cdiv(length, STRETCHES), BLOCK) * BLOCK
    first = stretch * share
    last = tl.minimum(first + share, length)
    member = tl.arange(0, PADDED)
    place = tl.arange(0, SIZE)
    mine = (one * heads + head) * GROUP + member
    q = tl.load(query + mine[:, None] * SIZE + place[None, :], mask=member[:, None] < GROUP, other=0.0)
    top = tl.full([PADDED], float("-inf"), tl.float32)
    total = tl.zeros([PADDED], tl.float32)
    acc = tl.zeros([PADDED, SIZE], tl.float32)
    for start in range(first, last, BLOCK):
        at = start + tl.arange(0, BLOCK)
        inside = at < last
        slot = tl.load(table + row * table_row + at, mask=inside, other=0)
        base = slot * slot_step + head * SIZE
        k = tl.load(keys + base[None, :] + place[:, None], mask=inside[None, :], other=0.0)
        score = tl.dot(q, k, input_precision=PRECISION) * scale
        score = tl.where(inside[None, :], score, float("-inf"))
        higher = tl.maximum(top, tl.max(score, 1))
        part = tl.exp(score - higher[:, None])
        fade = tl.exp(top - higher)
        v = tl.load(values + base[:, None] + place[None, :], mask=inside[:, None], other=0.0)
        acc = acc * fade[:, None] + tl.dot(part.to(v.dtype), v, input_precision=PRECISION)
        total = total * fade + tl.sum(part, 1)
        top = higher
    # A stretch beyond the end has no tokens: weight exp(-inf) = 0 when the stretches are put together.
    safe = tl.where(total > 0, total, 1.0)
    to = mine * STRETCHES + stretch
    real = member < GROUP
    tl.store(out + to[:, None] * SIZE + place[None, :], acc / safe[:, None], mask=real[:, None])
    tl.store(weight + to, tl.where(total > 0, top + tl.log(safe), float("-inf")), mask=real)


def paged(query: Any, keys: Any, values: Any, batch: Batch, scale: float) -> Any:
    """Attend to cached tokens in place; shapes and meaning as in `gpu_validate.attention.gathered`."""
    count, heads, size = query.shape
    shared = keys.shape[1]
    group = heads // shared
    stretches = 1
    while stretches < MOST_STRETCHES and count * shared * stretches < BUSY:
        stretches *= 2
    out = torch.empty((count, heads, stretches, size), device=query.device, dtype=torch.float32)
    weight = torch.empty((count, heads, stretches), device=query.device, dtype=torch.float32)
    _attend[(count, shared, stretches)](
        query, keys, values, batch.table, batch.rows, batch.lengths, out, weight, scale,
        batch.table.stride(0), keys.stride(0),
        GROUP=group, PADDED=max(16, triton.next_power_of_2(group)), SIZE=size, BLOCK=TOKENS, STRETCHES=stretches,
        PRECISION="ieee", num_warps=4, num_stages=2,
    )  # fmt: skip
    if stretches == 1:
        return out[:, :, 0].to(query.dtype)
    return (torch.softmax(weight, dim=-1)[..., None] * out).sum(2).to(query.dtype)


#: a captured graph of it serves every length
paged.any_length = True  # type: ignore[attr-defined]

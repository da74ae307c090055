"""One fused forward pass per iteration over the slot cache: decodes first, then fresh prompts, all in one sequence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from gpu_validate import libraries
from gpu_validate.attention import Decode, SlotAttention, allow_cudnn, gathered
from gpu_validate.batch import Batch
from gpu_validate.faults import ReplayFault
from gpu_validate.graphs import Graphs
from gpu_validate.shapes import ModelShape
from gpu_validate.slots import SlotCache


@dataclass(frozen=True)
class Limits:
    """Room that an executor lays out once, for all the runs it will make.

    Parameters
    ----------
    memory : int
        Largest M, in tokens.
    requests : int
        Most requests of a run.
    longest : int
        Most tokens of a request, prompt and output together, at least 2.
    """

    memory: int
    requests: int
    longest: int

    @classmethod
    def over(cls, each: Iterable[Limits]) -> Limits:
        """Return limits that hold for all of some."""
        rows = [(one.memory, one.requests, one.longest) for one in each]
        return cls(*(max(column) for column in zip(*rows, strict=True)))


class Executor:
    """A model over a slot cache, driven iteration by iteration.

    What a request has read and written is a row of ``text``; the slot of each of its tokens a row of ``table``. So a
    decode needs three whole numbers from the host, request, position and slot, and all else happens on the device.

    Parameters
    ----------
    model
        A causal model of the transformers library, on its device.
    shape : ModelShape
    limits : Limits
    decode : callable, optional
        How decodes attend (`gpu_validate.attention.Decode`).
    use_graphs : bool
        Capture iterations without prompts as CUDA graphs, by batch size rounded up; no effect on the CPU.

    Notes
    -----
    The model's attention is taken over until `close`, and torch attends without cuDNN until then (`allow_cudnn`).
    """

    def __init__(
        self, model: Any, shape: ModelShape, limits: Limits, decode: Decode = gathered, use_graphs: bool = True
    ) -> None:
        torch = libraries.torch()
        weight = next(model.parameters())
        self.model, self.shape, self.limits, self.device = model, shape, limits, weight.device
        self.cache = SlotCache(shape, limits.memory, weight.device, weight.dtype)
        self.attention = SlotAttention(self.cache, decode)
        self._before = model.config._attn_implementation
        self._cudnn_before = allow_cudnn(self.device, False)
        model.config._attn_implementation = self.attention.name
        size = (limits.requests + 1, limits.longest)
        self.text = torch.zeros(size, dtype=torch.int64, device=self.device)
        self.table = torch.full(size, self.cache.spare, dtype=torch.int64, device=self.device)
        self.graphs = Graphs(self, use_graphs and self.device.type == "cuda")

    def close(self) -> None:
        """Give the model its own attention back and let go of the cache."""
        self.model.config._attn_implementation = self._before
        allow_cudnn(self.device, self._cudnn_before)
        self.graphs.drop()
        self.cache.keys.clear()
        self.cache.values.clear()

    def open(self, memory: int, texts: Sequence[Sequence[int]]) -> None:
        """Begin a run: an empty cache of exactly ``memory`` slots, and the prompts of its requests.

        Parameters
        ----------
        memory : int
            M of the run, at most ``limits.memory``.
        texts : sequence of sequences of int
            The prompt of each request, at least one token.
        """
        torch = libraries.torch()
        if memory > self.limits.memory or len(texts) > self.limits.requests:
            raise ReplayFault(f"M = {memory} and {len(texts)} requests leave the limits of this executor {self.limits}")
        self.cache.empty(memory)
        width = max(len(text) for text in texts)
        rows = torch.zeros((len(texts), width), dtype=torch.int64)
        for k, text in enumerate(texts):
            rows[k, : len(text)] = torch.tensor(text, dtype=torch.int64)
        self.text.zero_()
        self.text[: len(texts), :width] = rows.to(self.device)

    def step(self, decodes: Sequence[tuple[int, int]], prefills: Sequence[tuple[int, int]]) -> None:
        """Run one iteration. It may still be under way on the device when this returns.

        Parameters
        ----------
        decodes : sequence of (request, position)
            Each feeds the token at a position of its text.
        prefills : sequence of (request, count)
            Each feeds its first ``count`` tokens, from nothing.

        Notes
        -----
        Every request gets one new token, written behind the last that was fed. The slots must have been given.
        """
        if not decodes and not prefills:
            raise ReplayFault("an iteration without requests")
        if not prefills and self.graphs.run(decodes):
            return
        prefills = sorted(prefills, key=lambda entry: entry[1])
        columns = [(request, at, self.cache.owned[request][at]) for request, at in decodes]
        keep = list(range(len(decodes)))
        for request, count in prefills:
            owned = self.cache.owned[request]
            columns += [(request, at, owned[at]) for at in range(count)]
            keep.append(len(columns) - 1)
        longest = max((at for _, at in decodes), default=0) + 1
        self.forward(self.upload(columns), len(decodes), longest, [count for _, count in prefills], keep)

    def upload(self, columns: Sequence[tuple[int, int, int]]) -> Any:
        """Bring (request, position, slot) of each token to the device, int64[3, tokens]."""
        torch = libraries.torch()
        return torch.tensor(columns, dtype=torch.int64).T.contiguous().to(self.device, non_blocking=True)

    def forward(
        self, tokens: Any, decodes: int, longest: int, prompts: Sequence[int] = (), keep: Sequence[int] = ()
    ) -> None:
        """Compute the tokens and write what they choose; nothing in here waits for the device.

        Parameters
        ----------
        tokens : int64[3, k]
            Request, position and slot of each token, the decodes first.
        decodes, longest : int
            How many decodes, and the most tokens that one of them attends to.
        prompts : sequence of int
            Length of each prompt, ascending.
        keep : sequence of int
            The tokens that choose a next one; needed where there are prompts.
        """
        torch = libraries.torch()
        request, position, slot = tokens
        self.table[request, position] = slot
        runs: list[tuple[int, int]] = []
        for length in prompts:
            if runs and runs[-1][0] == length:
                runs[-1] = (length, runs[-1][1] + 1)
            else:
                runs.append((length, 1))
        self.attention.batch = Batch(
            slot, decodes, request[:decodes], position[:decodes] + 1, self.table, longest, runs
        )
        asked: dict[str, Any] = {}
        if prompts:
            chosen = torch.tensor(keep, dtype=torch.int64).to(self.device, non_blocking=True)
            asked["logits_to_keep"] = chosen
            last = tokens[:, chosen]
        else:
            last = tokens
        with torch.inference_mode():
            ids = self.text[request, position]
            answer = self.model(input_ids=ids[None], position_ids=position[None], use_cache=False, **asked)
            self.text[last[0], last[1] + 1] = answer.logits[0].argmax(-1)
        self.attention.batch = None

    def synchronize(self) -> None:
        """Wait until the device has done all it was given."""
        if self.device.type == "cuda":
            libraries.torch().cuda.synchronize(self.device)

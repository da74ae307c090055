"""What only a CUDA device can show; skipped elsewhere."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
if not torch.cuda.is_available():
    pytest.skip("needs a CUDA device", allow_module_level=True)

from tiny_model import batch_instance  # noqa: E402

import algos.reference  # noqa: E402
from gpu_validate.backends import choose, difference  # noqa: E402
from gpu_validate.executor import Executor  # noqa: E402
from gpu_validate.one_by_one import differences, generate  # noqa: E402
from gpu_validate.replay import limits_of, replay, texts  # noqa: E402
from gpu_validate.shapes import SHAPES  # noqa: E402
from gpu_validate.timeline import Timeline  # noqa: E402
from gpu_validate.weights import Source  # noqa: E402

CUDA = torch.device("cuda")


@pytest.mark.parametrize("shape", ["llama-2-7b", "llama-3-8b"])
def test_paged_attention_equals_the_plain_form(shape):
    """In place, with stretches and with shared heads, attention is that of the copied tokens, to rounding."""
    from gpu_validate.paged_kernel import paged

    assert difference(paged, SHAPES[shape], CUDA, torch.float32) < 1e-4
    assert difference(paged, SHAPES[shape], CUDA, torch.bfloat16) < 5e-2


@pytest.mark.parametrize("policy", ["vllm_fcfs", "gsa", "mc_sf"])
def test_tokens_on_cuda(policy):
    """In float32, with graphs and attention in place, tokens are those of one-by-one generation, but for near ties."""
    source, inst = Source(random_weights="tiny"), batch_instance()
    model = source.load(CUDA, "float32")
    prompts = texts(inst, source.shape.vocabulary)
    alone = generate(model, prompts, inst.output.tolist())
    choice = choose(source.shape, CUDA, torch.float32)
    executor = Executor(model, source.shape, limits_of(inst), choice.decode)
    try:
        done = replay(Timeline(algos.reference.schedule(inst, policy)), executor)
    finally:
        executor.close()
    assert executor.graphs.trouble == "" or choice.name == "gathered"
    assert all(np.isfinite(done.seconds))
    assert all(abs(one.gap) < 1e-3 for one in differences(model, prompts, done.tokens, alone))

"""The synthetic batches of the paper that introduced the model."""

from instances.card import FamilyCard
from instances.construction import Construction, Setting, declare
from instances.drawing import shortest_or_smallest
from kvratio.problem.instance import Instance

CARD = FamilyCard(
    id="jaillet_batch",
    title="small synthetic batch, alpha near 1",
    group="random",
    source="Jaillet et al., 'Online Scheduling for LLM Inference with KV Cache Constraints', arXiv 2502.07115; ranges "
    "from secondary accounts (uncertain)",
    about="M ~ U{30..50}, n ~ U{40..60}, s ~ U{1..5}, o ~ U{1..M-s}, all at 0.",
)


@declare(CARD)
def jaillet_batch(setting: Setting) -> Construction:
    """Draw M, n, then prompts and outputs."""
    rng = setting.rng()
    memory = int(rng.integers(30, 50, endpoint=True))
    n = int(rng.integers(40, 60, endpoint=True))
    prompt = rng.integers(1, 5, n, endpoint=True)
    output = rng.integers(1, memory - prompt, endpoint=True)
    return Construction(Instance(prompt=prompt, output=output, memory=memory), witness=shortest_or_smallest)

"""I: a saturated queue of identical requests drives admission by current memory into cycles of eviction."""

from instances.card import REQUIRED, FamilyCard, Parameter
from instances.construction import Construction, Setting, declare, requests
from instances.families.synchronised import identical_witness
from kvratio.problem.errors import BadParameter

#: M R requests are stored one by one; beyond this the arrays alone pass a gigabyte
LARGEST_QUEUE = 2 * 10**7

CARD = FamilyCard(
    id="eviction_cycle",
    letter="I",
    title="a saturated queue of identical requests",
    target="admission by current memory with recomputation",
    effect="measured",
    parameters=(
        Parameter("prompt", REQUIRED, "prompt s (tokens)", low=0),
        Parameter("output", REQUIRED, "output L (tokens)", low=1),
        Parameter("memory", REQUIRED, "memory M (tokens)", low=1),
        Parameter("rounds", None, "R rounds that the queue lasts; default 200 L", low=1),
    ),
    ratio_text="throughput loss up to 1/2",
    source="limit cycles of greedy batching under homogeneous load, arXiv 2606.15555",
    about="n = M R identical requests, so that the queue never empties in R rounds. Report completed volume / (M R) "
    "and evictions per completion over the first R rounds, not flow.",
)


@declare(CARD)
def eviction_cycle(setting: Setting, prompt: int, output: int, memory: int, rounds: int | None) -> Construction:
    """Build the queue."""
    rounds = 200 * output if rounds is None else rounds
    if memory * rounds > LARGEST_QUEUE:
        raise BadParameter(
            f"eviction_cycle: n = memory x rounds = {memory * rounds} requests, more than {LARGEST_QUEUE}: "
            f"give rounds <= {LARGEST_QUEUE // memory}"
        )
    return Construction(
        requests(memory, (memory * rounds, 0, prompt, output)), witness=identical_witness, resolved={"rounds": rounds}
    )

"""L, second form: geometrically fewer requests of geometrically longer output, all predicted [l, u]."""

from instances.card import REQUIRED, FamilyCard, Parameter
from instances.construction import Construction, Setting, declare, requests
from instances.list_greedy import list_greedy
from instances.long_request import rounded

CARD = FamilyCard(
    id="interval_geometric",
    letter="L",
    title="one scale of lengths per factor of two, all predicted [l, u]",
    target="a_min",
    effect="measured",
    orders=True,
    parameters=(
        Parameter("lower", REQUIRED, "l: lower end of all predictions (tokens)", low=1),
        Parameter("scales", REQUIRED, "K: u = l 2^K", low=1, high=40),
        Parameter("count", REQUIRED, "N: scale k has max(1, round(N / 4^k)) requests", low=1),
    ),
    ratio_text="uncertain: growth with log(u/l) not established",
    source="derived here, against planning by lower ends in Chen, Ye, Zhou, 'Adaptively Robust LLM Inference "
    "Optimization under Prediction Uncertainty', arXiv 2508.14544",
    about="M = 10 u. For k = K..1, max(1, round(N 4^-k)) requests (1, l 2^k), long ones first. The witness is shortest "
    "first.",
)


@declare(CARD)
def interval_geometric(setting: Setting, lower: int, scales: int, count: int) -> Construction:
    """Build the scales, the longest first."""
    upper = lower * 2**scales
    blocks = [(max(1, rounded(count / 4**k)), 0, 1, lower * 2**k) for k in range(scales, 0, -1)]
    n = sum(block[0] for block in blocks)
    inst = requests(10 * upper, *blocks, predicted_low=[lower] * n, predicted_high=[upper] * n)
    return Construction(
        inst, witness=lambda inst: list_greedy(inst, "mc_sf"), notes={"memory": inst.memory, "upper": upper}
    )

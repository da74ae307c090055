"""L: every request is predicted in the same wide interval; planning with its upper end wastes memory."""

from instances.card import FamilyCard, Parameter
from instances.construction import Construction, Setting, declare, requests
from instances.list_greedy import flow_of, list_greedy
from instances.long_request import rounded
from kvratio.problem.instance import Instance, IntArray

CARD = FamilyCard(
    id="interval_trap",
    letter="L",
    title="a few long requests among short ones, all predicted [l, u]",
    target="policies that plan with u and decide at completions",
    effect="hurts",
    orders=True,
    parameters=(
        Parameter("lower", 10, "l: lower end of all predictions, output of the short requests (tokens)", low=1),
        Parameter("stretch", 10, "g = u/l", low=1),
        Parameter("count", 300, "N short requests", low=1),
        Parameter("share", 0.62, "q: round(q N / g) long requests", "float", low=0),
    ),
    ratio_text="about 1.6 .. 1.9 u/l up to its finite-size limit",
    source="derived here, against planning by upper ends in Chen, Ye, Zhou, 'Adaptively Robust LLM Inference "
    "Optimization under Prediction Uncertainty', arXiv 2508.14544",
    about="M = 10 l g, u = l g. round(q N / g) requests (1, u), then N requests (1, l); all predicted [l, u]. The "
    "target reserves to age u, frees on true completion, goes in number order and looks again at completions. a_max "
    "looks at every epoch, which costs it less: info['a_max_cost']. The witness is shortest first.",
)


@declare(CARD)
def interval_trap(setting: Setting, lower: int, stretch: int, count: int, share: float) -> Construction:
    """Build the long requests, then the short ones."""
    upper = lower * stretch
    memory, long = 10 * upper, rounded(share * count / stretch)
    inst = requests(
        memory,
        (long, 0, 1, upper),
        (count, 0, 1, lower),
        predicted_low=[lower] * (long + count),
        predicted_high=[upper] * (long + count),
    )
    return Construction(
        inst,
        witness=lambda inst: list_greedy(inst, "mc_sf"),
        forced_cost=lambda inst: flow_of(inst, _plan_with_upper(inst, only_at_completions=True)),
        notes={"memory": memory, "upper": upper},
        measure=lambda inst: {"a_max_cost": flow_of(inst, _plan_with_upper(inst, only_at_completions=False))},
    )


def _plan_with_upper(inst: Instance, only_at_completions: bool) -> IntArray:
    return list_greedy(inst, "fcfs", planned=inst.predicted_high, only_at_completions=only_at_completions)

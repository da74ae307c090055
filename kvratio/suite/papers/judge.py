"""The rules by which a published figure counts as reproduced: computed from a run, never asserted.

A verdict needs the whole interval: it is ``open`` where the interval leaves room for both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise

from kvratio.suite.papers.finding import AGREES, DIFFERS, FAILED, NOT_COMPARABLE, OPEN, Finding, Measured
from kvratio.suite.papers.reported import Reported
from kvratio.suite.papers.results import NothingMeasured, Results

#: verdict, ours in words, what a figure draws
Judged = tuple[str, str, tuple[Measured, ...]]


def judge(figure: Reported, results: Results | None, paper: str) -> Finding:
    """Judge one published figure.

    Parameters
    ----------
    figure : Reported
    results : Results or None
        None where the paper has no run of its own: then only the rule ``none`` can stand.
    paper : str
        arXiv id.
    """
    why = figure.note
    measured: tuple[Measured, ...] = ()
    try:
        if figure.rule == "none" or results is None:
            verdict, ours = NOT_COMPARABLE, "-"
        else:
            verdict, ours, measured = JUDGES[figure.rule](figure, results)
    except NothingMeasured as fault:
        verdict, ours, why = FAILED, "-", f"{fault}. {why}".strip()
    return Finding(
        paper=paper,
        figure=figure.figure,
        setting=figure.place,
        published=figure.published,
        ours=ours,
        verdict=verdict,
        rule=rule_text(figure),
        why=why,
        certain=figure.certain,
        value=figure.value,
        measured=measured,
    )


def within(measured: Measured, low: float, high: float) -> str:
    """Agrees: the interval lies in [low, high]; differs: it lies outside; open: neither."""
    if low <= measured.low and measured.high <= high:
        return AGREES
    return DIFFERS if measured.low > high or measured.high < low else OPEN


def together(verdicts: Iterable[str]) -> str:
    """All must agree; one that differs decides."""
    found = set(verdicts)
    return DIFFERS if DIFFERS in found else OPEN if OPEN in found else AGREES


# -- rules on a number --------------------------------------------------------------------------------------------
def _each(figure: Reported, results: Results, low: float, high: float) -> Judged:
    measured = [_quantity(figure, results, policy) for policy in figure.policies]
    verdict = together(within(one, low, high) for one in measured)
    words = [f"{policy}: {one.text}" for policy, one in zip(figure.policies, measured, strict=True)]
    return verdict, "; ".join(words), tuple(measured)


def _quantity(figure: Reported, results: Results, policy: str) -> Measured:
    if figure.quantity != "relative":
        return results.ratio(figure.family, policy, figure.at, worst=figure.quantity == "worst_ratio")
    second = figure.against or policy
    second_at = {**figure.at, **figure.against_at} if figure.against_at else None
    return results.relative(figure.family, policy, second, figure.at, second_at, figure.cost)


def _at_most(figure: Reported, results: Results) -> Judged:
    assert figure.limit is not None
    return _each(figure, results, float("-inf"), figure.limit)


def _at_least(figure: Reported, results: Results) -> Judged:
    assert figure.limit is not None
    return _each(figure, results, figure.limit, float("inf"))


def _near(figure: Reported, results: Results) -> Judged:
    assert figure.value is not None
    return _each(figure, results, figure.value - figure.tolerance, figure.value + figure.tolerance)


# -- rules on costs of several policies ---------------------------------------------------------------------------
def _order(figure: Reported, results: Results) -> Judged:
    """Each policy costs less than the next one, or at most ``tolerance`` more."""
    steps = {
        f"{a} / {b}": results.relative(figure.family, a, b, figure.at, cost=figure.cost)
        for a, b in pairwise(figure.policies)
    }
    verdict = together(within(one, float("-inf"), 1 + figure.tolerance) for one in steps.values())
    return verdict, "; ".join(f"{name} = {one.text}" for name, one in steps.items()), tuple(steps.values())


def _best(figure: Reported, results: Results) -> Judged:
    """The first policy is the cheapest of all on a share of the instances."""
    assert figure.limit is not None
    first, *others = figure.policies
    beaten = [results.relatives(figure.family, first, other, figure.at, cost=figure.cost) for other in others]
    won = [max(values) <= 1 + figure.tolerance for values in zip(*beaten, strict=True)]
    share = sum(won) / len(won)
    words = f"{first} cheapest on {sum(won)} of {len(won)} instances"
    means = [results.mean(values, figure.family, first, other) for values, other in zip(beaten, others, strict=True)]
    parts = [f"{first} / {other} = {one.text}" for other, one in zip(others, means, strict=True)]
    return AGREES if share >= figure.limit else DIFFERS, "; ".join([words, *parts]), tuple(means)


def _grows(figure: Reported, results: Results) -> Judged:
    """The cost of ``against`` over that of the policy grows from the smallest to the largest value of a parameter."""
    cells = results.chosen(figure.family, [figure.policies[0]], figure.at)
    values = sorted(set(results.values_of(cells, figure.along)))
    ends = [{**figure.at, figure.along: value} for value in (values[0], values[-1])]
    low, high = (
        results.relatives(figure.family, figure.against, figure.policies[0], at, cost=figure.cost) for at in ends
    )
    growth = results.mean(high / low, figure.family, figure.along)
    verdict = within(growth, figure.limit if figure.limit is not None else 1.0, float("inf"))
    shown = [
        f"{results.mean(gap, figure.family, figure.along).text} at {figure.along} = {value:g}"
        for gap, value in zip((low, high), (values[0], values[-1]), strict=True)
    ]
    words = f"{figure.against} / {figure.policies[0]} = {shown[0]}, {shown[1]}; grows by {growth.text}"
    return verdict, words, (growth,)


def _holds(figure: Reported, results: Results) -> Judged:
    """No ratio is proven above a published guarantee whose hypotheses hold."""
    policies = figure.policies
    count, above, share = results.broken(figure.family, policies, figure.at)
    if not count:
        return OPEN, "the hypotheses hold on no instance", ()
    words = f"{above} of {count} instances proven above it; largest proven upper end: {share:.1%} of the guarantee"
    return DIFFERS if above else AGREES, words, ()


JUDGES: dict[str, Callable[[Reported, Results], Judged]] = {
    "at_most": _at_most,
    "at_least": _at_least,
    "near": _near,
    "order": _order,
    "best": _best,
    "grows": _grows,
    "holds": _holds,
}


def rule_text(figure: Reported) -> str:
    """The rule in words."""
    match figure.rule:
        case "at_most":
            return f"{_what(figure)} at most {figure.limit:g}"
        case "at_least":
            return f"{_what(figure)} at least {figure.limit:g}"
        case "near":
            return f"{_what(figure)} within {figure.tolerance:g} of {figure.value:g}"
        case "order":
            slack = f", each at most {figure.tolerance:.1%} above the next" if figure.tolerance else ""
            return f"{_cost(figure)}: {' < '.join(figure.policies)}{slack}"
        case "best":
            others = ", ".join(figure.policies[1:])
            slack = f" (up to {figure.tolerance:.1%})" if figure.tolerance else ""
            return f"{figure.policies[0]} cheapest{slack} of {others} on at least {figure.limit:.0%} of the instances"
        case "grows":
            return f"{figure.against} over {figure.policies[0]} grows with {figure.along}"
        case "holds":
            return f"no ratio of {', '.join(figure.policies)} proven above the guarantee where its hypotheses hold"
    return ""


def _what(figure: Reported) -> str:
    who = ", ".join(figure.policies)
    if figure.quantity != "relative":
        return f"{figure.quantity.replace('_', ' ')} of {who}"
    return f"{_cost(figure)} of {who} over that of {figure.against or 'itself'}" + (
        f" at {', '.join(f'{key} = {value:g}' for key, value in figure.against_at.items())}"
        if figure.against_at
        else ""
    )


def _cost(figure: Reported) -> str:
    return "mean latency per output token" if figure.cost == "per_token" else "total cost"


__all__ = ["JUDGES", "judge", "rule_text", "together", "within"]

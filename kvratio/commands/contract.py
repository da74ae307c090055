"""How `kvratio check` judges a user's file: every policy, family and bound in it, against the contract."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kvratio.problem.instance import Instance
    from kvratio.problem.plugins import Plugin
    from kvratio.suite.contract import Report


def is_checkable(name: str) -> bool:
    """Whether a name means a policy, family or bound of a file, of an entry point, or built in."""
    from algos import registry
    from instances import registry as families
    from kvratio.problem.plugins import GROUPS, installed, is_reference

    return (
        is_reference(name)
        or registry.is_built_in(name)
        or families.is_built_in(name)
        or any(name in installed(kind) for kind in GROUPS)
    )


def reports(name: str, parameters: dict[str, Any], count: int | None) -> Iterator[Report]:
    """Yield a report for each card that a name means.

    Raises
    ------
    BadParameter
        The file holds no card, or none of the name given.
    PluginError
        The file cannot be loaded.
    """
    from algos import registry
    from instances import registry as families
    from kvratio.problem.errors import BadParameter
    from kvratio.problem.plugins import GROUPS, find, installed, is_reference
    from kvratio.suite.contract import check_family, check_policy

    counted: dict[str, Any] = {} if count is None else {"count": count}
    if not is_reference(name) and registry.is_built_in(name):
        yield check_policy(registry.card(name), parameters, **counted)
        return
    if not is_reference(name) and families.is_built_in(name):
        yield check_family(families.lookup(name), parameters, name)
        return
    found = 0
    for kind in GROUPS:
        if not is_reference(name) and name not in installed(kind):
            continue
        plugin = find(name, kind)
        assert plugin is not None
        for one in _named(plugin):
            found += 1
            yield _check(one, parameters, counted)
    if not found:
        raise BadParameter(f"{name}: no policy, family or bound of that name is in it (docs/add_a_policy.md)")


def _named(plugin: Plugin) -> Iterator[Plugin]:
    """Yield the plug-in once for each card that it may mean."""
    from algos.card import Card
    from instances.construction import Family
    from kvratio.problem.plugins import objects
    from lowerbounds import BoundCard

    wanted = {"policy": Card, "family": Family, "bound": BoundCard}[plugin.kind]
    for variable, card in objects(plugin.load(), wanted).items():
        name = card.card.id if isinstance(card, Family) else card.id
        if plugin.name in ("", name, variable):
            yield replace(plugin, name=name)


def _check(plugin: Plugin, parameters: dict[str, Any], counted: dict[str, Any]) -> Report:
    from algos import registry
    from instances import registry as families
    from kvratio.problem.errors import BadParameter
    from kvratio.suite.contract import Finding, Report, check_bound, check_family, check_policy
    from lowerbounds.own import own_bound

    try:
        if plugin.kind == "policy":
            return check_policy(registry.card(plugin), parameters, **counted)
        if plugin.kind == "family":
            return check_family(families.lookup(plugin), parameters, plugin)
        card = own_bound(plugin)
        assert card is not None
        return check_bound(card, parameters)
    except BadParameter as fault:
        return Report(plugin.kind, plugin.name, ["card complete"], findings=[Finding("card complete", str(fault))])


def show(report: Report) -> None:
    """Print a report for people: what was checked, and each finding with the smallest instance that shows it."""
    unit = {"policy": "runs", "family": "instances", "bound": "bounds"}[report.kind]
    verdict = "keeps the contract" if report.fine else "BREAKS the contract"
    print(f"{report.kind} {report.id} {verdict}: {len(report.rules)} rules, {report.trials} {unit}")
    broken = {finding.rule for finding in report.findings}
    for rule in report.rules:
        print(f"  {'BROKEN' if rule in broken else 'ok    '} {rule}")
    for text in report.skipped:
        print(f"  -      {text}")
    for text in report.notes:
        print(f"  note   {text}")
    for finding in report.findings:
        print(f"\n{finding.rule}: {finding.message}")
        if finding.parameters:
            print("  parameters " + ", ".join(f"{key}={value}" for key, value in finding.parameters.items()))
        if finding.instance is not None:
            print(f"  smallest instance: {written(finding.instance)}")
        if finding.traceback:
            print("  " + finding.traceback.rstrip().replace("\n", "\n  "))


def written(inst: Instance) -> str:
    """Write an instance as the Python that makes it; columns that follow from others are left out."""
    parts = [f"prompt={inst.prompt.tolist()}", f"output={inst.output.tolist()}", f"memory={inst.memory}"]
    if inst.arrival.any():
        parts.append(f"arrival={inst.arrival.tolist()}")
    shown = ("predicted",) * inst.has_predictions + ("predicted_low", "predicted_high") * inst.has_intervals
    parts += [f"{name}={getattr(inst, name).tolist()}" for name in shown]
    return f"Instance({', '.join(parts)})"

"""The suite of a study: its families, and the policies that were asked for beside those that the figure needs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kvratio.suite.choose import chosen
from kvratio.suite.naming import format_name, parse_name
from kvratio.suite.plan import Suite
from kvratio.suite.read import read_suite
from kvratio.suite.studies.study import BOUND, Effort, Study

#: where ``families.py`` lies: outside the package, as a file of a user does
FAMILIES = Path(__file__).parents[1] / "suites" / "studies"
#: seeds of randomised policies
POLICY_SEEDS = 3


def study_suite(study: Study, effort: Effort, policies: Sequence[str] = ()) -> Suite:
    """Build the suite of a study.

    Parameters
    ----------
    study : Study
    effort : Effort
    policies : sequence of str
        As on the command line: ``gsa:alpha=2``, ``./my_policy.py``; empty: those of the study. Policies that the figure
        has lines for are added.

    Raises
    ------
    UnknownName, BadParameter
        A policy that does not exist, or a parameter without meaning.
    """
    wanted = list(dict.fromkeys([*(policies or study.policies()), *study.references]))
    # Users' files are added by `chosen`; a suite needs a policy before that, so the study's own are always in it.
    built_in = {text: _entry(text) for text in (*wanted, *study.policies()) if _is_built_in(text)}
    asked = [built_in[text]["label"] if text in built_in else text for text in wanted]
    data = {
        "name": f"study_{study.name}" + ("_quick" if effort.quick else ""),
        "title": study.title,
        "objective": study.objective,
        "policy_seeds": POLICY_SEEDS,
        "resamples": 200,
        "certificates": True,
        "bound": BOUND,
        "policy": list({entry["label"]: entry for entry in built_in.values()}.values()),
        "family": _families(study, effort, asked, [entry["label"] for entry in built_in.values()]),
    }
    suite = read_suite(data, f"study {study.name}", folder=FAMILIES)
    return chosen(suite, list(dict.fromkeys(asked)), ())


def _is_built_in(text: str) -> bool:
    from algos import registry

    return registry.is_built_in(parse_name(text)[0])


def _entry(text: str) -> dict[str, Any]:
    name, parameters = parse_name(text)
    return {"id": name, "label": format_name(name, parameters), "parameters": parameters}


def _families(study: Study, effort: Effort, asked: Sequence[str], known: Sequence[str]) -> list[dict[str, Any]]:
    """Return the families, with the policies of each where it has only some, or all but some (``without``).

    A family for some policies alone is left out where none of them but references is asked for.
    """
    families = []
    for entry in study.families(effort):
        without = entry.pop("without", ())
        if without:
            entry["policies"] = [label for label in dict.fromkeys(known) if label not in without]
        elif "policies" in entry and not set(entry["policies"]) - set(study.references) & set(asked):
            continue
        families.append(entry)
    return families

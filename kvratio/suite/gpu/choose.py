"""What to run on a model, from words of the command line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import algos
from gpu_validate.contest import Entry, Subject
from gpu_validate.study import Study
from kvratio.problem.errors import BadParameter, UnknownName
from kvratio.problem.schedule import Schedule
from kvratio.suite.naming import parse_name
from kvratio.suite.source import open_source


def load_schedule(path: str) -> Schedule:
    """Return a saved schedule."""
    if not Path(path).is_file():
        raise UnknownName(f"{path}: there is no such schedule: name a saved one, or an instance and a policy")
    return Schedule.load(path)


def made_schedule(source: str, policy: str, memory: int | None, eviction: str | None, seed: int) -> Schedule:
    """Return the schedule of a policy on an instance."""
    name, parameters = parse_name(policy)
    inst = open_source(source, memory=memory, policy=policy, eviction=eviction)
    return algos.schedule(inst, name, eviction=eviction, seed=seed, **parameters)


def changed(
    study: Study,
    policies: str | None = None,
    instances: list[str] | None = None,
    model: str | None = None,
    random_weights: str | None = None,
    repeats: int | None = None,
    budget: float | None = None,
) -> Study:
    """Return a study with what was asked for in place of its own.

    Parameters
    ----------
    study : Study
    policies : str, optional
        ``mc_sf,gsa:alpha=2``.
    instances : list of str, optional
        As `kvratio.suite.source.open_source` reads them.
    model, random_weights : str, optional
        Folder or hub id, or shape; not both.
    repeats : int, optional
        At least 1.
    budget : float, optional
        Seconds, above 0.
    """
    changes: dict[str, object] = {}
    if policies is not None:
        changes["entries"] = tuple(_entry(word) for word in _words(policies))
    if instances:
        changes["subjects"] = tuple(Subject(word, "", given=open_source(word)) for word in instances)
    if model is not None and random_weights is not None:
        raise BadParameter("give either --model or --random-weights")
    name = model or random_weights
    if name is not None:
        changes["models"] = (name,)
    if repeats is not None:
        if repeats < 1:
            raise BadParameter(f"repeats is {repeats}: give 1 or more")
        changes["repeats"] = repeats
    if budget is not None:
        if not budget > 0:
            raise BadParameter(f"budget is {budget}: give seconds above 0")
        changes["budget"] = budget
    return replace(study, **changes)  # type: ignore[arg-type]


def _entry(word: str) -> Entry:
    name, parameters = parse_name(word)
    return Entry(word, name, parameters)


def _words(text: str) -> list[str]:
    """Split ``gsa:alpha=2,regime=large,fcfs`` at the commas before a new policy."""
    words: list[str] = []
    for part in (part.strip() for part in text.split(",")):
        if words and "=" in part and ":" not in part.partition("=")[0]:
            words[-1] += f",{part}"
        elif part:
            words.append(part)
    if not words:
        raise BadParameter("no policy is named: give for example mc_sf,gsa:alpha=2")
    return words

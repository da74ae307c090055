"""The book of worst instances: reading it, its table, and the search that improves it."""

from __future__ import annotations

import importlib.resources
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import lowerbounds
from algos import registry
from kvratio.problem.errors import BadParameter, KvratioError, UnknownName
from kvratio.suite.search.find import Find, certify, proven_guarantee
from kvratio.suite.search.hunt import hunt
from kvratio.suite.search.space import Space
from kvratio.suite.search.target import Target

#: settings: any batch; arrivals (total flow); batches on which the policy's guarantee holds
SETTINGS = ("batch", "arrivals", "guarantee")
#: parameters that stand in the book beside the defaults
VARIANTS = ("gsa:regime=large", "gba:regime=large", "fcfs:skip=true", "svf:skip=true")
#: bytes of a file in the book, at most, for the proof of a lower bound to stay in it
LARGEST = 40_000
#: size of what is searched: an entry can be read
N, MEMORY = 12, (2, 48)
#: policies whose guarantee states no number that holds on an instance
NO_NUMBER = ("a_max", "a_min", "route")
#: policies whose guarantee asks for equal prompts
EQUAL_PROMPTS = ("mc_sf", "gba", "gba_d", "gsa", "gsa_spec", "sps")


@dataclass(frozen=True)
class Entry:
    """One line of the book.

    Attributes
    ----------
    policy, setting : str
    find : Find
    """

    policy: str
    setting: str
    find: Find

    @property
    def file(self) -> str:
        """Name of its file."""
        return _file(self.policy, self.setting)

    def row(self) -> dict[str, Any]:
        """Return policy, setting, proven ratio, published guarantee and the room between them, and the sizes."""
        find = self.find
        guarantee = find.target.card.guarantee
        number = proven_guarantee(find.target, find.instance) if self.setting == "guarantee" else None
        ratio = float(find.ratio)
        return {
            "policy": self.policy,
            "setting": self.setting,
            "ratio": round(ratio, 4),
            "fraction": f"{find.cost}/{find.bound.upper}",
            "guarantee": None if number is None else round(number, 3),
            "room": None if number is None else round(number / ratio, 2),
            "published": None if guarantee is None else guarantee.text,
            "objective": find.objective,
            "n": find.instance.n,
            "memory": find.instance.memory,
            "optimal": find.bound.status == "optimal",
            "file": self.file,
        }


def folder() -> Path:
    """Return where the book lies."""
    return Path(str(importlib.resources.files("instances.worst")))


def entries(where: Path | None = None) -> list[Entry]:
    """Return the book, sorted by policy and setting; nothing is trusted yet, see `Find.verify`."""
    found = []
    for path in sorted((where or folder()).glob("*.json")):
        find = Find.load(path)
        found.append(Entry(find.policy, _setting_of(path), find))
    return sorted(found, key=lambda entry: (entry.policy, SETTINGS.index(entry.setting)))


def entry(name: str) -> Entry:
    """Return one entry by the name of its file, with or without ``.json``."""
    path = folder() / f"{name.removesuffix('.json')}.json"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in folder().glob("*.json")))
        raise UnknownName(f"no entry {name!r} in the book of worst instances: there are {known}")
    find = Find.load(path)
    return Entry(find.policy, _setting_of(path), find)


def policies() -> list[str]:
    """Return every policy of the book: all that are built in, and `VARIANTS`."""
    return sorted([*registry.policy_ids(), *VARIANTS])


def settings_of(policy: str) -> tuple[str, ...]:
    """Return the settings in which a policy stands in the book."""
    guarantee = Target(policy).card.guarantee
    # A guarantee without a number has no room to print; one that asks for no overtaking falls with skip.
    numbers = guarantee is not None and policy.partition(":")[0] not in NO_NUMBER and "skip" not in policy
    return SETTINGS if numbers else SETTINGS[:2]


def space_of(policy: str, setting: str) -> Space:
    """Return the instances among which an entry is searched."""
    within = setting == "guarantee"
    equal = within and policy.partition(":")[0] in EQUAL_PROMPTS
    # Half of memory at most: where alpha tends to 1 the ratios that are proved grow without bound.
    alpha = 0.5 if within and policy.partition(":")[0] in ("svf", "mc_sf") else 1.0
    return Space(n=N, memory=MEMORY, arrivals=setting == "arrivals", equal_prompts=equal, alpha=alpha)


def improve(
    chosen: Sequence[str] | None = None,
    settings: Sequence[str] = SETTINGS,
    where: Path | None = None,
    seed: int = 0,
    time_limit: float | None = 20.0,
    work_limit: int | None = None,
    workers: int | None = None,
    report: Callable[[str, Entry, float], None] | None = None,
    asked: Callable[[], bool] | None = None,
) -> Iterator[Entry]:
    """Search every entry once more, from what the book has, and write down what is better.

    Parameters
    ----------
    chosen : sequence of str, optional
        Policies; default: all.
    settings : sequence of str
    where : Path, optional
        Folder of the book; default: the one in the package.
    seed, time_limit, work_limit, workers
        Of each search.
    report : callable, optional
        Told name, entry and the ratio before (0: there was none).
    asked : callable, optional
        Whether to stop.

    Yields
    ------
    Entry
        Each as it stands now.
    """
    home = where or folder()
    home.mkdir(parents=True, exist_ok=True)
    for policy in policies() if chosen is None else chosen:
        for setting in settings_of(policy):
            if asked is not None and asked():
                return
            if setting not in settings:
                continue
            old = _paid_today(_stored(home, policy, setting))
            others = [one.find.instance for one in entries(home)]
            new = _search(policy, setting, others, old, seed, time_limit, work_limit, workers, asked)
            best = _better(old, new)
            if best is None:
                continue
            if best != _stored(home, policy, setting):
                write(best, home)
            if report is not None:
                report(best.file, best, 0.0 if old is None else float(old.find.ratio))
            yield best


def write(one: Entry, home: Path | None = None) -> Path:
    """Write an entry to its file in the book.

    The proof of a ratio is the schedule; where that of the optimality is long, closed forms stand in its place.
    """
    home = home or folder()
    find = replace(one.find, policy=one.policy)
    path = find.save(home)
    if path.stat().st_size > LARGEST:
        path.unlink()
        bound = lowerbounds.bound(
            find.instance, "mean_busy_time", objective=find.objective, schedules=[find.bound.schedule]
        )
        path = replace(find, bound=bound).save(home)
    return path.replace(home / one.file)


def admit(policy: str, setting: str, find: Find, home: Path | None = None) -> bool:
    """Take a find into the book if it beats the entry; it is certified again first. Return whether it was taken."""
    if setting not in SETTINGS:
        raise BadParameter(f"book: setting is {setting!r}: choose one of {', '.join(SETTINGS)}")
    target = Target(policy)
    again = certify(target, find.instance, find.objective)
    if setting == "guarantee" and proven_guarantee(target, find.instance) is None:
        raise BadParameter(f"book: {policy}'s guarantee does not hold on this instance")
    old = _stored(home or folder(), policy, setting)
    best = _better(old, Entry(policy, setting, again))
    if best is None or best is old:
        return False
    write(best, home)
    return True


def _search(
    policy: str, setting: str, others: Any, old: Entry | None, seed: int, time_limit: float | None,
    work_limit: int | None, workers: int | None, asked: Any,
) -> Entry | None:  # fmt: skip
    space = space_of(policy, setting)
    guests = [one for one in others if space.holds(one)]
    try:
        found = hunt(
            Target(policy), space, None, seed, time_limit, work_limit, workers, setting == "guarantee",
            guests=guests, asked=asked,
        )  # fmt: skip
    except KvratioError:
        if old is None:
            raise
        return None
    return Entry(policy, setting, found.find)


def _better(old: Entry | None, new: Entry | None) -> Entry | None:
    """Return the entry with the larger ratio; of equal ones the smaller, then the old."""
    if old is None or new is None:
        return new if old is None else old
    key = _rank(new) > _rank(old)
    return new if key else old


def _rank(one: Entry) -> tuple[Fraction, int, int]:
    inst = one.find.instance
    return one.find.ratio, -inst.n, -(inst.memory + int(inst.prompt.sum() + inst.output.sum() + inst.arrival.sum()))


def _stored(home: Path, policy: str, setting: str) -> Entry | None:
    path = home / _file(policy, setting)
    return Entry(policy, setting, Find.load(path)) if path.is_file() else None


def _paid_today(one: Entry | None) -> Entry | None:
    """Return an entry with what the policy pays now: its code may have changed since it was written."""
    if one is None:
        return None
    cost = one.find.target.schedule(one.find.instance).cost(one.find.objective)
    return one if cost == one.find.cost else replace(one, find=replace(one.find, cost=cost))


def _file(policy: str, setting: str) -> str:
    word = policy.replace(":", "-").replace("=", "-").replace(",", "-")
    return f"{word}.{setting}.json"


def _setting_of(path: Path) -> str:
    setting = path.stem.rpartition(".")[2]
    if setting not in SETTINGS:
        raise BadParameter(f"{path}: the file of an entry is named POLICY.SETTING.json with {', '.join(SETTINGS)}")
    return setting

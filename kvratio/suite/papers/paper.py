"""A paper's file: what it reports, the suite that runs it again, and what a quick run leaves out."""

from __future__ import annotations

import importlib.resources
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kvratio.problem.errors import BadParameter, UnknownName
from kvratio.suite.naming import nearest
from kvratio.suite.papers.reported import Reported, read_reported
from kvratio.suite.plan import FamilySpec, Suite
from kvratio.suite.read import read_suite

#: what computes a paper's figures: a suite in its file, or a command that exists for it
PARTS = ("suite", "capacity", "stability", "serving")
OWN_KEYS = ("arxiv", "cited", "about", "part", "experiment", "quick", "reported")
QUICK_KEYS = ("seeds", "grid", "count", "options")


@dataclass(frozen=True)
class Paper:
    """A source paper.

    Parameters
    ----------
    arxiv : str
        Its id; names the folder.
    cited : str
        Authors and title.
    about : str
        What is run here, and what stands for data that are not public.
    part : str
        One of `PARTS`.
    suite : Suite or None
        Of part ``suite``.
    experiment : str
        Of part ``serving``: the built-in experiment.
    reported : tuple of Reported
    quick : mapping
        How a quick run is cut down.
    """

    arxiv: str
    cited: str
    about: str = ""
    part: str = "suite"
    suite: Suite | None = None
    experiment: str = ""
    reported: tuple[Reported, ...] = ()
    quick: Mapping[str, Any] | None = None

    def quickened(self) -> Paper:
        """Return the paper with a smaller suite: fewer seeds and points, cheaper bounds, the same rules."""
        if self.suite is None:
            return self
        quick = self.quick or {}
        families = tuple(_smaller(family, quick) for family in self.suite.families)
        return replace(self, suite=replace(self.suite, families=families))


def _smaller(family: FamilySpec, quick: Mapping[str, Any]) -> FamilySpec:
    seeds = family.seeds[: quick.get("seeds", 2)]
    # Rules that speak of one point keep it: only lists longer than two lose their middle, and only where asked.
    grid = {
        key: (values[0], values[-1]) if key in quick.get("grid", ()) and len(values) > 2 else values
        for key, values in family.grid.items()
    }
    fixed = dict(family.fixed)
    if "count" in fixed and "count" in quick:
        fixed["count"] = min(fixed["count"], quick["count"])
    options = {**family.bound.options, **quick.get("options", {})} if family.bound.method == "best" else None
    bound = family.bound if options is None else replace(family.bound, options=options)
    return FamilySpec(**{**_fields(family), "seeds": seeds, "grid": grid, "fixed": fixed, "bound": bound})


def _fields(family: FamilySpec) -> dict[str, Any]:
    return {name: getattr(family, name) for name in family.__dataclass_fields__}


def paper_names() -> list[str]:
    """Return the arXiv ids of the papers that have a file."""
    folder = importlib.resources.files("kvratio.suite") / "suites" / "papers"
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def load_paper(source: str | Path) -> Paper:
    """Read a paper's file by arXiv id, or a TOML file by path, and check every name and value in it.

    Raises
    ------
    UnknownName
        No such paper, policy, family or bound method.
    BadParameter
        A key that does not exist or a value that means nothing.
    """
    if str(source) in paper_names():
        path = Path(str(importlib.resources.files("kvratio.suite") / "suites" / "papers" / f"{source}.toml"))
    else:
        path = Path(source)
        if not path.is_file():
            raise UnknownName(
                f"paper {str(source)!r}: there is no such paper{nearest(str(source), paper_names())}; "
                f"give an arXiv id or a TOML file"
            )
    try:
        data = tomllib.loads(path.read_text())
    except tomllib.TOMLDecodeError as fault:
        raise BadParameter(f"{path.name}: not TOML ({fault}): mend the line named") from fault
    return read_paper(data, f"paper {path.stem}", path.stem, path.resolve().parent)


def read_paper(data: Mapping[str, Any], where: str, stem: str, folder: Path | None = None) -> Paper:
    """Build a checked paper from parsed TOML: its own keys are split off, the rest is a suite."""
    for key in ("arxiv", "cited"):
        if not isinstance(data.get(key), str) or not data[key]:
            raise BadParameter(f"{where}: {key} is {data.get(key)!r}: give it as text")
    if any(not (char.isalnum() or char in "-_.") for char in data["arxiv"]) or set(data["arxiv"]) == {"."}:
        raise BadParameter(f"{where}: arxiv is {data['arxiv']!r}: it becomes a folder, so use letters, digits, - _ .")
    part = data.get("part", "suite")
    if part not in PARTS:
        raise BadParameter(f"{where}: part is {part!r}: choose one of {', '.join(PARTS)}")
    quick = data.get("quick", {})
    for key in quick:
        if key not in QUICK_KEYS:
            raise BadParameter(f"{where}: quick: unknown key {key!r}{nearest(key, QUICK_KEYS)}")
    rest = {key: value for key, value in data.items() if key not in OWN_KEYS}
    suite = None
    if part == "suite":
        suite = read_suite({"name": data["arxiv"], **rest}, where, stem, folder)
    elif rest:
        raise BadParameter(f"{where}: unknown key {next(iter(rest))!r}: a paper of part {part} has no suite")
    entries = data.get("reported", [])
    reported = tuple(
        read_reported(entry, suite, f"{where}: reported {number}") for number, entry in enumerate(entries, 1)
    )
    return Paper(
        arxiv=data["arxiv"],
        cited=data["cited"],
        about=str(data.get("about", "")),
        part=part,
        suite=suite,
        experiment=str(data.get("experiment", "")),
        reported=reported,
        quick=quick,
    )


__all__ = ["Paper", "load_paper", "paper_names", "read_paper"]

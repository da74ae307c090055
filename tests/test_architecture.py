"""Imports point one way only (docs/architecture.md, section 1)."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("kvratio", "algos", "instances", "lowerbounds", "stability", "gpu_validate")

#: room -> rooms that its files may import beside itself; the longest matching room of a file counts
ALLOWED = {
    "kvratio.lazy": (),
    "kvratio.problem": (),
    "instances": ("kvratio.problem",),
    "lowerbounds": ("kvratio.problem",),
    "stability": ("kvratio.problem",),
    "algos": ("kvratio.problem", "stability"),
    "gpu_validate": ("kvratio.problem", "stability", "algos", "instances", "lowerbounds"),
    "kvratio.suite": ("kvratio", "algos", "instances", "lowerbounds", "stability", "gpu_validate"),
    "kvratio.commands": ("kvratio", "algos", "instances", "lowerbounds", "stability", "gpu_validate"),
    "kvratio.cli": ("kvratio",),
}
#: how a package loads its public names: a part of the language to everyone
LAZY = "kvratio.lazy"
#: what rechecks bounds: the verifier, its own computations, and the slow replay of exact proofs
JUDGES = ("lowerbounds/verify.py", "lowerbounds/recheck_*.py", "lowerbounds/exact/replay.py")
#: the two policies that order requests by a linear program, and their twins
LP_ORDER = ("algos/policies/lp_order.py", "algos/reference/lp_order.py")


def module_of(path: Path) -> str:
    """Return the dotted name of a source file."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def within(module: str, room: str) -> bool:
    """Whether a module lies in a room."""
    return module == room or module.startswith(room + ".")


def imports(path: Path) -> list[str]:
    """Return the dotted names of ours that a file imports anywhere, in functions and under TYPE_CHECKING too."""
    names = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: a relative import, which the compile cache does not follow"
            names.append(node.module or "")
    return [name for name in names if name.partition(".")[0] in PACKAGES]


def sources() -> list[Path]:
    """Return every source file of the packages."""
    return sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


@pytest.mark.parametrize("room", ALLOWED)
def test_imports_point_left(room):
    """No file of a room imports a room that stands on it."""
    wrong = []
    for path in sources():
        module = module_of(path)
        if max((r for r in ALLOWED if within(module, r)), key=len, default=None) != room:
            continue
        here = path.relative_to(ROOT).as_posix()
        for name in imports(path):
            fine = within(name, room) or any(within(name, other) for other in (LAZY, *ALLOWED[room]))
            if not fine and not (here in LP_ORDER and within(name, "lowerbounds.lp")):
                wrong.append(f"{here} imports {name}")
    assert wrong == []


def test_every_file_has_a_room():
    """A new package or module must be given its place above."""
    homeless = [
        module_of(path)
        for path in sources()
        if not any(within(module_of(path), room) for room in ALLOWED)
        and module_of(path).partition(".")[0] != "stability"
    ]
    assert homeless == ["kvratio"]


def test_judges_stand_alone():
    """The checker, the verifier and the reference engine import nothing of what they judge."""
    for judge in ("kvratio/problem/checker.py", *JUDGES):
        for path in ROOT.glob(judge):
            for name in imports(path):
                assert within(name, "kvratio.problem") or name.startswith(
                    ("lowerbounds.recheck_", "lowerbounds.exact.replay")
                ), f"{path}: {name}"
            assert not re.search(r"^\s*(import|from) (pulp|highspy|scipy|numba)", path.read_text(), re.MULTILINE)
    for path in (ROOT / "algos" / "reference").rglob("*.py"):
        shared = ("algos.engine", "algos.policies", "algos.timetable", "algos.run", "kvratio.problem.compiled")
        assert not [name for name in imports(path) if any(within(name, other) for other in shared)]


def test_nothing_is_called_utils():
    """A file is named for what it knows."""
    assert not [path for path in sources() if path.stem in ("utils", "util", "helpers", "common", "misc")]

"""The documents are complete and true where a machine can tell: tables, golden values, references, links."""

import re
from pathlib import Path

import pytest

import algos
import instances
from algos.registry import card
from instances.traces.fitted import FITTED
from instances.traces.formats import format_ids
from instances.traces.rules import Rules
from kvratio import Instance

ROOT = Path(__file__).parents[2]
DOCS = {path.name: path.read_text() for path in sorted((ROOT / "docs").glob("*.md"))}
SOURCES = [p for room in ("kvratio", "algos", "instances", "lowerbounds", "tests") for p in (ROOT / room).rglob("*.py")]

I1 = Instance(prompt=[2] * 8, output=[5, 1, 3, 8, 2, 1, 4, 2], memory=14)
I2 = Instance(prompt=[4, 0, 9, 1, 6, 2, 3], output=[3, 7, 1, 10, 2, 5, 6], memory=16)
I3 = Instance(prompt=[1] * 16, output=[4] * 16, memory=20)
GOLDEN = (I1, I2, I3, I2.replace(arrival=[0, 2, 1, 0, 5, 3, 3]))


def section(name: str, number: str) -> str:
    """Return one numbered section of a document."""
    found = re.search(rf"^##+ {re.escape(number)}\.? .*?(?=^## |\Z)", DOCS[name], re.MULTILINE | re.DOTALL)
    assert found, f"{name} has no section {number}"
    return found[0]


def rows(text: str) -> list[list[str]]:
    """Return the cells of every table row of a text."""
    lines = [line for line in text.splitlines() if line.startswith("|") and not line.startswith("|---")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


# -- policies -------------------------------------------------------------------------------------------------------
def test_the_table_of_policies_is_that_of_the_cards():
    """Every policy and alias stands in the table once, with the information, arrivals and source of its card."""
    table = {}
    for cells in rows(section("policies.md", "1"))[1:]:
        for name in re.findall(r"`(\w+)`", cells[0]):
            table[name] = cells
    aliases = {alias for policy in algos.policy_ids() for alias in card(policy).aliases}
    assert set(table) == set(algos.policy_ids()) | aliases
    for name, (_, information, arrivals, _, guarantee, source) in table.items():
        shown = card(name)
        assert information.startswith(shown.information), name
        assert arrivals == shown.arrivals, name
        assert (shown.guarantee is None) == (guarantee.startswith("none")), name
        ids = re.findall(r"\d{4}\.\d{5}|OSDI", source)
        assert all(number in shown.source + shown.reference for number in ids), name


def golden() -> list[tuple[str, str, list[int]]]:
    """Return (policy, parameters, values) of the table of golden values."""
    found = []
    for cells in rows(section("policies.md", "9"))[1:]:
        for at in (0, 5):
            name = re.match(r"`(\w+)` ?(.*)", cells[at])
            if name:
                found.append((name[1], name[2], [int(x) for x in cells[at + 1 : at + 5]]))
    return found


@pytest.mark.parametrize(("policy", "given", "values"), golden(), ids=[f"{p} {g}".strip() for p, g, _ in golden()])
def test_golden_values(policy, given, values):
    """The compiled policies give the total completions of docs/policies.md, section 9."""
    pairs = (pair.split("=") for pair in filter(None, given.split(", ")))
    words = {"True": True, "False": False, "large": "large"}
    params = {name: words[value] if value in words else float(value) for name, value in pairs}
    assert [algos.schedule(inst, policy, **params).total_completion for inst in GOLDEN] == values


def test_every_policy_is_explained():
    """Each policy has a paragraph that begins with its name in bold, or stands in the heading of its section."""
    text = DOCS["policies.md"]
    for policy in algos.policy_ids():
        assert re.search(rf"\*\*`{policy}`\*\*|^##.*`{policy}`", text, re.MULTILINE), policy
        for parameter in card(policy).parameters:
            assert re.search(rf"\b{parameter.name}\b", text), f"{policy}: {parameter.name}"


# -- families and traces --------------------------------------------------------------------------------------------
def test_every_family_is_in_the_tables():
    """Families stand in docs/families.md with all their parameters; the fitted ones in docs/traces.md."""
    for family in instances.family_ids():
        shown = instances.family(family)
        text = DOCS["traces.md" if family in FITTED else "families.md"]
        assert f"`{family}`" in text, family
        if shown.group == "adversarial":
            row = next(cells for cells in rows(DOCS["families.md"]) if cells[0] == f"`{family}`")
            for parameter in shown.parameters:
                assert parameter.name == "order" or parameter.name in row[6], f"{family}: {parameter.name}"
            assert shown.effect == row[4], family
            assert shown.letter == row[1], family


def test_every_format_and_rule_is_explained():
    """Trace formats and the choices of each rule stand in docs/traces.md, the default first."""
    assert all(f"`{name}`" in DOCS["traces.md"] for name in format_ids())
    table = {cells[1]: cells[2] for cells in rows(section("traces.md", "3"))[1:]}
    for name, choices in Rules.CHOICES.items():
        shown = re.findall(r"`(\w+)`", table[f"`{name}`"])
        assert sorted(shown) == sorted(choices)
        assert shown[0] == getattr(Rules(), name)


# -- references -----------------------------------------------------------------------------------------------------
def test_documents_named_in_the_source_exist():
    """A docstring that sends the reader to a document, or to a section of it, sends them somewhere."""
    lost = []
    for path in SOURCES:
        for name, number in re.findall(r"docs/(\w+\.md)(?:,? sections? (\d+))?", path.read_text()):
            if name not in DOCS:
                lost.append(f"{path.relative_to(ROOT)}: docs/{name}")
            elif number and not re.search(rf"^## {number}\. ", DOCS[name], re.MULTILINE):
                lost.append(f"{path.relative_to(ROOT)}: docs/{name} section {number}")
    assert lost == []


def test_links_between_documents_lead_somewhere():
    """Every relative link of a document names a file that exists, and every test or example named exists."""
    for name, text in DOCS.items():
        for target in re.findall(r"\]\(([\w./]+\.md)\)", text):
            assert (ROOT / "docs" / target).is_file(), f"{name}: {target}"
        for target in re.findall(
            r"`((?:tests|examples|algos|instances|lowerbounds|kvratio)/[\w./]+\.(?:py|toml|csv))`", text
        ):
            assert (ROOT / target).is_file(), f"{name}: {target}"


def test_documents_name_no_place_of_their_making():
    """Documents and examples speak of the project alone: no absolute paths, no folders outside the repository."""
    for path in [*(ROOT / "docs").glob("*.md"), *(ROOT / "examples").glob("*")]:
        if path.is_file():
            assert not re.search(r"(?<![\w.])/(work|root|home|tmp)/|\.\./shared", path.read_text()), path.name

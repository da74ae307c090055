"""The tutorials, followed word by word by a new user in an empty folder."""

import re
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from algos import registry
from kvratio.cli import app
from kvratio.suite.policy_page import policy_page

ROOT = Path(__file__).parents[2]
TUTORIALS = ("add_a_policy.md", "add_a_family.md", "add_a_bound.md")


def steps(text):
    """Yield (kind, content) in the order of the page: files to write, Python to run, commands to give."""
    pattern = re.compile(
        r"into `([\w./]+)`:\n\n```\w+\n(.*?)^```|^```py\n(.*?)^```|^    (kvratio [^\n#]*)", re.M | re.S
    )
    for found in pattern.finditer(text):
        if found[1]:
            yield "file", (found[1], found[2])
        elif found[3]:
            yield "python", found[3]
        else:
            yield "command", found[4].strip()


@pytest.mark.parametrize("page", TUTORIALS)
def test_tutorial_works_word_by_word(page, tmp_path, monkeypatch):
    """Files written, commands given and Python run in the order of the page all succeed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["kvratio"])
    done = []
    for kind, content in steps((ROOT / "docs" / page).read_text()):
        if kind == "file":
            (tmp_path / content[0]).write_text(content[1])
        elif kind == "python":
            exec(compile(content, page, "exec"), {"__name__": "tutorial"})
        else:
            shown = CliRunner().invoke(app, content.split()[1:])
            assert shown.exit_code == 0, f"{content}\n{shown.output}\n{shown.exception}"
        done.append(kind)
    assert set(done) == {"file", "python", "command"}


def test_policy_of_the_tutorial_is_short():
    """A policy of at most forty lines, card included."""
    files = [content for kind, content in steps((ROOT / "docs" / "add_a_policy.md").read_text()) if kind == "file"]
    assert len(files[0][1].splitlines()) <= 40


def test_pages_of_policies_are_current():
    """docs/policies/ID.md is what `kvratio info --pages docs/policies` writes, and there is no other page."""
    folder = ROOT / "docs" / "policies"
    assert {path.stem for path in folder.glob("*.md")} == set(registry.policy_ids())
    stale = [p for p in registry.policy_ids() if (folder / f"{p}.md").read_text() != policy_page(registry.card(p))]
    assert stale == []

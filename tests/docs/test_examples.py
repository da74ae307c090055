"""What the documents and the examples show works as shown."""

import re
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from algos.registry import card
from kvratio import Instance, check, generate, schedule
from kvratio.cli import app

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*(ROOT / "docs").glob("*.md"), *ROOT.glob("README.md")])
#: verbs of the command line
VERBS = tuple(typer.main.get_command(app).commands)


def blocks(path: Path, language: str) -> list[str]:
    """Return the fenced blocks of one language in a document."""
    return re.findall(rf"^```{language}\n(.*?)^```", path.read_text(), re.MULTILINE | re.DOTALL)


def python_blocks() -> list[object]:
    """Return every Python block of every document, named by document and number."""
    found = [(path, k, text) for path in DOCUMENTS for k, text in enumerate(blocks(path, "python"), 1)]
    return [pytest.param(path, k, id=f"{path.stem}-{k}") for path, k, _ in found]


@pytest.mark.parametrize(("path", "number"), python_blocks())
def test_python_block_runs(path, number, tmp_path, monkeypatch):
    """Every Python block runs by itself, and its assertions hold."""
    text = blocks(path, "python")[number - 1]
    # A hook is compiled from its source, so the block is put into a file as a reader would do.
    module = tmp_path / f"block_{path.stem}_{number}.py"
    module.write_text(text)
    monkeypatch.syspath_prepend(str(ROOT))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    __import__(module.stem)
    assert sys.modules[module.stem].__file__ == str(module)


@pytest.mark.parametrize("name", ["my_policy.py", "my_family.py", "my_suite.toml"])
def test_documents_show_the_example_as_it_is(name):
    """A document that shows a whole example shows the file, byte for byte."""
    text = (ROOT / "examples" / name).read_text()
    language = "toml" if name.endswith(".toml") else "python"
    assert any(text in blocks(path, language) for path in DOCUMENTS)


def test_examples_are_short():
    """A policy takes at most forty lines, card and all."""
    assert len((ROOT / "examples" / "my_policy.py").read_text().splitlines()) <= 40


def test_my_policy(monkeypatch):
    """The example policy runs, is feasible, and does what it says: with no patience it is first come, first served."""
    monkeypatch.syspath_prepend(str(ROOT))
    mine = __import__("examples.my_policy", fromlist=["MINE"]).MINE
    rng = np.random.default_rng(3)
    prompt = rng.integers(0, 10, 30)
    inst = Instance(prompt, rng.integers(1, 30 - prompt), memory=40, arrival=np.sort(rng.integers(0, 60, 30)))
    for patience in (0, 5, 10**6):
        check(inst, schedule(inst, mine, patience=patience))
    alone = Instance(prompt=[3, 5], output=[2, 4], memory=9)
    assert schedule(alone, mine).start.tolist() == [4, 0]
    assert card(mine) is mine


def test_my_family():
    """The example family gives a checked witness; its long requests hold the bursts up."""
    inst = generate(f"{ROOT / 'examples' / 'my_family.py'}:waves", memory=64, waves=2)
    assert inst.n == 2 * (1 + 32)
    assert schedule(inst, "mc_sf").total_flow > inst.info["witness_cost"]


def test_walk_through(tmp_path, monkeypatch, capsys):
    """The walk-through runs from the first line to the last in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(ROOT))
    runpy.run_path(str(ROOT / "examples" / "walk_through.py"), run_name="__main__")
    assert "ratio" in capsys.readouterr().out


def commands() -> list[str]:
    """Return every line of the documents that shows a kvratio command, without its comment."""
    lines = {
        line.strip().partition(" # ")[0].strip()
        for path in DOCUMENTS
        for line in path.read_text().splitlines()
        if re.match(r"^(    |\$ )?kvratio [a-z]", line)
    }
    return sorted(lines)


@pytest.mark.parametrize("command", commands())
def test_shown_command_exists(command):
    """Every command shown names a verb, and every option in it is one of that verb's."""
    words = command.split()
    verb = words[1]
    assert verb in VERBS
    path = [verb, words[2]] if verb in ("traces", "gpu") else [verb]
    shown = CliRunner(env={"COLUMNS": "200"}).invoke(app, [*path, "--help"])
    assert shown.exit_code == 0
    for option in re.findall(r"--[a-z-]+", command):
        assert option in shown.output

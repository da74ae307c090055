"""Plug-ins: how they are named, pinned, loaded apart from each other, and refused."""

import pickle
import sys
from pathlib import Path

import pytest

from kvratio.problem.errors import BadParameter, UnknownName
from kvratio.problem.plugins import (
    Plugin,
    PluginError,
    Reference,
    collect,
    find,
    installed,
    is_reference,
    read_reference,
    require,
)

#: stands for a card: its text is its id
HEADER = "from kvratio.problem.plugins import Reference as Thing\n"


def write(folder: Path, **files: str) -> Path:
    """Write Python files and return the first."""
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    return folder / f"{next(iter(files))}.py"


def value_of(path, name=""):
    """Load a file and return the value of its variable VALUE."""
    plugin = find(f"{path}:{name}" if name else path, "policy")
    return plugin.load().VALUE


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("gsa", False),
        ("gsa:alpha=2", False),
        ("./my policy.py", True),
        ("/a b/c.py:name", True),
        ("package.module:NAME", True),
        ("file.toml", False),
    ],
)
def test_what_is_a_reference(text, expected):
    """Files and module:name are references; ids, with parameters or without, are not."""
    assert is_reference(text) is expected


def test_relative_paths_start_at_the_folder_given(tmp_path):
    """A suite's folder, not the current one, is where its relative paths start."""
    assert read_reference("./a.py:X", tmp_path).file == str((tmp_path / "a.py").resolve())


def test_equal_file_names_in_two_folders_do_not_meet(tmp_path):
    """Each loads its own neighbour of the same name, in either order, and again."""
    paths = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        paths.append(
            write(
                folder, mine="import near\nfrom near import WORD\nVALUE = WORD + near.WORD\n", near=f"WORD = {name!r}\n"
            )
        )
    assert [value_of(p) for p in (*paths, *reversed(paths))] == ["oneone", "twotwo", "twotwo", "oneone"]
    assert "near" not in sys.modules


@pytest.mark.parametrize("edited", ["mine", "near", "far"])
def test_an_edit_is_another_plug_in(tmp_path, edited):
    """Editing the file, what it imports, or what that imports changes the digest and what is loaded at once."""
    texts = {
        "mine": "def f():\n    from near import N\n    return N + 0\nVALUE = f()\n",
        "near": "from far import F\nN = F\n",
        "far": "F = 1\n",
    }
    path = write(tmp_path, **texts)
    before = find(path, "policy")
    assert value_of(path) == 1
    (tmp_path / f"{edited}.py").write_text(
        texts[edited].replace("+ 0", "+ 1").replace("N = F", "N = F + 1").replace("F = 1", "F = 2")
    )
    after = find(path, "policy")
    assert before.digest != after.digest
    assert after.load().VALUE == 2
    # What was pinned before still runs as it was.
    assert before.load().VALUE == 1


def test_pinned_sources_travel(tmp_path):
    """A plug-in that was pickled loads without its files: a worker runs what was pinned."""
    path = write(tmp_path, mine="from near import N\nVALUE = N\n", near="N = 7\n")
    packed = pickle.dumps(find(path, "policy"))
    for file in tmp_path.iterdir():
        file.unlink()
    assert pickle.loads(packed).load().VALUE == 7


def test_packages_and_relative_imports(tmp_path):
    """A file in a package may import its neighbours relatively, and the package by name."""
    home = tmp_path / "bundle"
    home.mkdir()
    write(home, __init__="BASE = 5\n", near="N = 2\n")
    path = write(
        home,
        mine="from .near import N\nfrom bundle import BASE\nimport bundle.near as again\nVALUE = N + BASE + again.N\n",
    )
    assert value_of(path) == 9


def test_modules_by_name(tmp_path, monkeypatch):
    """module:name finds a module on the path without importing it, and notices edits."""
    write(tmp_path, some_module_of_mine="VALUE = 1\nCARD = None\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert value_of("some_module_of_mine", "CARD") == 1
    write(tmp_path, some_module_of_mine="VALUE = 2\nCARD = None\n")
    assert value_of("some_module_of_mine", "CARD") == 2
    assert "some_module_of_mine" not in sys.modules
    with pytest.raises(UnknownName, match="there is no module no_such_module"):
        find("no_such_module:X", "policy")


def test_installed_entry_points(tmp_path, monkeypatch):
    """An installed package offers plug-ins by entry points, which are named like ids."""
    write(tmp_path, offered_here="VALUE = 3\n")
    about = tmp_path / "offered-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: offered\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[kvratio.policies]\nnovel = offered_here:CARD\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert installed("policy") == {"novel": "offered_here:CARD"}
    plugin = find("novel", "policy")
    assert (plugin.name, plugin.load().VALUE) == ("CARD", 3)
    assert find("another", "policy") is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("x = 1\ndef f(\n", "line 2: SyntaxError"),
        ("x = 1\ny = 1 / 0\n", "line 2: ZeroDivisionError"),
        ("import no_such_thing_at_all\n", "line 1: ModuleNotFoundError"),
        ("import sys\nsys.exit(3)\n", "line 2: SystemExit: 3"),
        ("from near import N\n", "near.py line 1: NameError"),
    ],
)
def test_a_broken_file_is_one_line(tmp_path, text, told):
    """What is wrong with a file, and where, is one line; the fault itself is the cause."""
    path = write(tmp_path, mine=text, near="N = M\n")
    with pytest.raises(PluginError) as caught:
        find(path, "policy").load()
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is not None


def pick(path, name="", taken=()):
    """Return the id of the card that a file gives."""
    plugin = find(f"{path}:{name}" if name else path, "policy")
    return require(plugin, Reference, lambda one: one.text, lambda one: one in taken).text


def test_cards_are_found_by_variable_and_id(tmp_path):
    """CARD, CARDS, or whatever stands in the file; several need a name, and the error lists them."""
    one = write(tmp_path, one=HEADER + "MINE = Thing('a')\n")
    two = write(tmp_path, two=HEADER + "CARDS = (Thing('a'), Thing('b'))\nOTHER = Thing('c')\n")
    none = write(tmp_path, none="x = 1\n")
    assert (pick(one), pick(one, "MINE"), pick(one, "a"), pick(two, "b"), pick(two, "OTHER")) == (
        "a",
        "a",
        "a",
        "b",
        "c",
    )
    with pytest.raises(BadParameter, match=r"two\.py has 2 policies, a, b: say which, as two\.py:a"):
        pick(two)
    with pytest.raises(UnknownName, match="has no policy named z: it has a, b"):
        pick(two, "z")
    with pytest.raises(BadParameter, match=r"none\.py has no policy: set CARD"):
        pick(none)
    with pytest.raises(BadParameter, match="'a' is the id of a built-in policy"):
        pick(one, taken=("a",))


def test_a_missing_file_is_told(tmp_path):
    """A file that is not there is named with its folder."""
    with pytest.raises(UnknownName, match="there is no file"):
        find(tmp_path / "nowhere.py", "policy")


def test_digest_has_no_path_in_it(tmp_path):
    """The same files in another folder have the same digest, and another private package."""
    found = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        found.append(collect(write(tmp_path / name, mine="VALUE = 1\n")))
    assert found[0].digest == found[1].digest
    assert found[0].package != found[1].package
    assert isinstance(Plugin("t", "policy", "", found[0]).load(), type(sys))

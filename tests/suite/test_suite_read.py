"""Reading a suite: what is taken, and how mistakes are told."""

from __future__ import annotations

import copy

import pytest
from tiny import TINY, tiny

from kvratio.problem.errors import BadParameter, KvratioError, UnknownName
from kvratio.suite.plan import Suite
from kvratio.suite.read import load_suite, read_suite, suite_names


def test_cells_are_counted_without_building_anything():
    """Three seeds by three policies, and two adaptive points with an instance per policy."""
    suite = tiny()
    assert suite.cell_count == 3 * 3 + 2 * 3
    assert [family.adaptive for family in suite.families] == [False, True]
    assert len(list(suite.instance_specs())) == 3 + 2 * 3


def test_a_suite_survives_its_own_dictionary():
    """to_dict and from_dict give the same plan, which is what a run folder relies on."""
    suite = tiny()
    again = Suite.from_dict(suite.to_dict())
    assert again.digest == suite.digest
    assert again.families[0].points == suite.families[0].points


def test_every_built_in_suite_is_valid():
    """Names, parameters and bounds of the shipped suites exist; the default one has the promised size."""
    for name in suite_names():
        suite = load_suite(name)
        assert suite.cell_count > 0
    default = load_suite("default")
    assert len(default.policies) >= 15
    assert len({family.id for family in default.families}) >= 15


def test_a_toml_file_is_read(tmp_path):
    """A file by path gives the suite, named after the file, with grids expanded in order."""
    path = tmp_path / "mine.toml"
    path.write_text(
        'seeds = [4, 7]\n[[policy]]\nid = "gsa"\nparameters = { alpha = 2 }\n'
        '[[family]]\nid = "sf_trap"\ngrid = { memory = [64, 256], x = [1, 2] }\n'
    )
    suite = load_suite(path)
    assert suite.name == "mine"
    assert suite.policies[0].label == "gsa:alpha=2"
    assert suite.families[0].seeds == (4, 7)
    assert suite.families[0].points == (
        {"memory": 64, "x": 1},
        {"memory": 64, "x": 2},
        {"memory": 256, "x": 1},
        {"memory": 256, "x": 2},
    )


def _with(path, value):
    data = copy.deepcopy(TINY)
    place = data
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return data


MISTAKES = [
    (("speed",), 3, ["tiny.toml", "speed"]),
    (("objective",), "latency", ["objective", "latency", "completion"]),
    (("seeds",), 0, ["seeds", "0"]),
    (("seeds",), [1, 1], ["seeds", "twice"]),
    (("cell_seconds",), -1, ["cell_seconds", "-1"]),
    (("confidence",), 1.5, ["confidence", "1.5"]),
    (("name",), "a/b", ["name", "a/b", "folder"]),
    (("policy",), [], ["no policy"]),
    (("family",), [], ["no family"]),
    (("policy", 0, "id"), "fcsf", ["policy 1", "fcsf", "fcfs"]),
    (("policy", 1, "parameters"), {"skipp": True}, ["policy 2", "mc_sf", "skipp", "skip"]),
    (("policy", 1, "eviction"), "swop", ["policy 2", "eviction", "swop", "restart"]),
    (("policy", 0, "seeds"), 5, ["policy 1", "seeds", "deterministic"]),
    (("policy", 1, "label"), "fcfs", ["policy", "fcfs", "label"]),
    (("family", 0, "id"), "unifrom", ["family 1", "unifrom", "uniform"]),
    (("family", 0, "parameters", "cuont"), 3, ["family 1", "uniform", "cuont", "count"]),
    (("family", 0, "parameters", "count"), 0, ["family 1", "count", "0"]),
    (("family", 1, "grid", "memory"), [], ["family 2", "memory", "list"]),
    (("family", 1, "grid"), {}, ["family 2", "blocker", "memory", "missing"]),
    (("family", 1, "policies"), ["svff"], ["family 2", "svff", "svf"]),
    (("family", 0, "bound"), {"method": "magic"}, ["family 1", "bound", "magic"]),
    (("bound",), {"limit": 3}, ["bound", "limit"]),
]


@pytest.mark.parametrize(("path", "value", "words"), MISTAKES, ids=lambda x: str(x)[:40])
def test_a_mistake_is_one_line_that_names_it(path, value, words):
    """File, table, key, value and what to do are in the message of every mistake."""
    with pytest.raises(KvratioError) as caught:
        read_suite(_with(path, value), "tiny.toml")
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith("tiny.toml")
    for word in words:
        assert word in message


def test_a_suite_that_does_not_exist_is_told(tmp_path):
    """A wrong name lists the built-in suites; a wrong path says that there is no file; broken TOML names the place."""
    with pytest.raises(UnknownName, match="smoke"):
        load_suite("smokey")
    with pytest.raises(UnknownName, match="no such file"):
        load_suite(tmp_path / "no.toml")
    broken = tmp_path / "broken.toml"
    broken.write_text("name = \n")
    with pytest.raises(BadParameter, match="line 1"):
        load_suite(broken)


def test_a_narrowed_suite_keeps_order_and_drops_empty_families():
    """Policies and families are chosen by label; a family whose own policies are all gone goes too."""
    families = [{**TINY["family"][0], "policies": ["svf"]}, TINY["family"][1]]
    suite = tiny(family=families)
    narrow = suite.narrowed(policies=("mc_sf",))
    assert [policy.label for policy in narrow.policies] == ["mc_sf"]
    assert [family.label for family in narrow.families] == ["blocker"]
    with pytest.raises(UnknownName, match="no policy 'gsa'"):
        suite.narrowed(policies=("gsa",))

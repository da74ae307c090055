"""One line for a policy or a family."""

from __future__ import annotations

import pytest

from kvratio.problem.errors import BadParameter
from kvratio.suite.naming import format_name, parse_name


@pytest.mark.parametrize(
    ("text", "name", "parameters"),
    [
        ("gsa", "gsa", {}),
        ("gsa:alpha=2", "gsa", {"alpha": 2}),
        ("gba:alpha=1.5,regime=large", "gba", {"alpha": 1.5, "regime": "large"}),
        ("uniform:count=3,prompt=[0,4],output=(1,8)", "uniform", {"count": 3, "prompt": [0, 4], "output": (1, 8)}),
        ("vllm_fcfs:admit_after_evict=false", "vllm_fcfs", {"admit_after_evict": False}),
        ("orca:max_batch=none", "orca", {"max_batch": None}),
        (
            "augmentation:base={'family':'blocker','memory':50},extra=0.5",
            "augmentation",
            {"base": {"family": "blocker", "memory": 50}, "extra": 0.5},
        ),
        ("my/pair.py:pair:memory=9", "my/pair.py:pair", {"memory": 9}),
        ("my/pair.py:pair", "my/pair.py:pair", {}),
    ],
)
def test_a_name_with_parameters_is_read(text, name, parameters):
    """Ids, literals, words, brackets and families from files are told apart."""
    assert parse_name(text) == (name, parameters)


def test_what_is_written_is_read_back():
    """format_name and parse_name are inverse on the values that suites use."""
    parameters = {
        "alpha": 2.0,
        "regime": "large",
        "skip": True,
        "limit": None,
        "base": {"family": "blocker", "memory": 5},
    }
    assert parse_name(format_name("gsa", parameters)) == ("gsa", parameters)


@pytest.mark.parametrize("text", ["gsa:alpha", "gsa:=2", "gsa:alpha=1,alpha=2"])
def test_a_malformed_name_is_refused_in_one_line(text):
    """A pair without =, without key, or given twice is an error that quotes the text."""
    with pytest.raises(BadParameter) as caught:
        parse_name(text)
    assert "gsa" in str(caught.value)
    assert "\n" not in str(caught.value)

"""Rows that a schedule cannot use: each rule does what it says, and every row it touches is counted."""

import warnings

import pytest

from instances.traces import TraceWarning, load_trace
from kvratio.problem.errors import TraceError

HEAD = "arrival_s,prompt_tokens,output_tokens\n"


def load(path, **options):
    """Load with rounds of one second, and return the instance and its warning (or "")."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        inst = load_trace(path, memory=100, round_seconds=1, **options)
    assert len(caught) <= 1
    assert all(entry.category is TraceWarning for entry in caught)
    return inst, str(caught[0].message) if caught else ""


def test_zero_outputs(write):
    """Rows with no output are dropped, refused or counted as one token; the warning has their number."""
    path = write("z.csv", HEAD + "0,5,0\n1,6,7\n2,8,0\n")
    inst, said = load(path)
    assert inst.prompt.tolist() == [6]
    assert "2 with 0 output tokens (drop)" in said
    assert inst.info["trace"]["zero_output"] == 2
    assert inst.info["trace"]["rows_read"] == 3
    assert inst.info["trace"]["rules"]["zero_tokens"] == "drop"
    inst, said = load(path, zero_tokens="one")
    assert inst.output.tolist() == [1, 7, 1]
    assert "(one)" in said
    with pytest.raises(TraceError, match=r"z.csv, line 2, column 'output_tokens': 0: zero tokens"):
        load_trace(path, memory=100, zero_tokens="error")


def test_dropping_a_row_does_not_move_the_others(write):
    """Seconds count from the first row read, even when that row is dropped."""
    inst, _ = load(write("z.csv", HEAD + "10,5,0\n13,6,7\n"))
    assert inst.arrival.tolist() == [3]
    assert inst.arrival_seconds.tolist() == [3.0]


def test_zero_prompts(write):
    """Rows with no prompt are kept by default (the model allows them) and counted; the other rules work too."""
    path = write("p.csv", HEAD + "0,0,5\n1,6,7\n")
    inst, said = load(path)
    assert inst.prompt.tolist() == [0, 6]
    assert "1 with 0 prompt tokens (keep)" in said
    assert load(path, zero_prompt="drop")[0].prompt.tolist() == [6]
    assert load(path, zero_prompt="one")[0].prompt.tolist() == [1, 6]
    with pytest.raises(TraceError, match="line 2, column 'prompt_tokens'"):
        load_trace(path, memory=100, zero_prompt="error")


def test_too_large(write):
    """Requests larger than M are dropped, refused, or cut: the prompt to M - 1, then the output."""
    path = write("l.csv", HEAD + "0,60,41\n1,60,40\n2,300,9\n")
    inst, said = load(path)
    assert inst.peak.tolist() == [100]
    assert "2 larger than memory 100 (drop)" in said
    inst, said = load(path, too_large="clip")
    assert inst.prompt.tolist() == [60, 60, 99]
    assert inst.output.tolist() == [40, 40, 1]
    assert inst.info["trace"]["too_large"] == 2
    with pytest.raises(TraceError, match=r"line 2, column 'output_tokens': 41: prompt \+ output = 101 > memory 100"):
        load_trace(path, memory=100, too_large="error")


def test_out_of_order(write):
    """Rows stamped before a row above them are sorted, left in place or refused, and counted."""
    path = write("o.csv", HEAD + "5,1,1\n3,2,1\n4,3,1\n9,4,1\n")
    inst, said = load(path)
    assert inst.prompt.tolist() == [2, 3, 1, 4]
    assert inst.arrival.tolist() == [0, 1, 2, 6]
    assert "2 out of order (sort)" in said
    inst, said = load(path, out_of_order="keep")
    assert inst.prompt.tolist() == [1, 2, 3, 4]
    assert inst.arrival.tolist() == [2, 0, 1, 6]
    assert "(keep)" in said
    with pytest.raises(TraceError, match=r"line 3, column 'arrival_s': 2 s before a row above it"):
        load_trace(path, memory=100, out_of_order="error")


def test_clean_trace_says_nothing(write):
    """A trace in which every row is used gives no warning, and its counts are all zero."""
    inst, said = load(write("c.csv", HEAD + "0,5,6\n0,6,7\n"))
    assert said == ""
    assert {inst.info["trace"][key] for key in ("out_of_order", "zero_output", "zero_prompt", "too_large")} == {0}


def test_nothing_left_is_an_error_with_the_counts(write):
    """When the rules leave no request, the error says which rows went and why."""
    with pytest.raises(TraceError, match=r"no request is left.*1 with 0 output.*1 larger than memory 100"):
        load_trace(write("n.csv", HEAD + "0,5,0\n1,200,1\n"), memory=100)


def test_burstgpt_failed_requests_are_counted(write):
    """BurstGPT marks failed requests by response 0; they are dropped and counted."""
    head = "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n"
    inst, said = load(write("b.csv", head + "5,ChatGPT,4,1,5,API log\n6,ChatGPT,0,0,0,API log\n"))
    assert inst.n == 1
    assert "1 with 0 output tokens (drop)" in said

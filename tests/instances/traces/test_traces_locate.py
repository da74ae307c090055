"""Names below KVRATIO_TRACES: found with or without endings, in subfolders, never guessed."""

import pytest

from instances.traces import find_trace, load_trace, local_traces, traces_folder
from kvratio.problem.errors import TraceError

OWN = "arrival_s,prompt_tokens,output_tokens\n0,1,2\n"


@pytest.fixture
def root(write, tmp_path, monkeypatch):
    """A folder of traces with subfolders, set as KVRATIO_TRACES."""
    write("top.csv.gz", OWN)
    write("sub/inner.csv", OWN)
    write("a/twice.csv", OWN)
    write("b/twice.jsonl", '{"prompt_tokens": 1, "output_tokens": 2}\n')
    write("AzureLLMInferenceTrace_code.csv", "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.68,1,2\n")
    write("summary.csv", "trace,rows\nx,1\n")
    write("notes.txt", "prompt_tokens,output_tokens\n1,2\n")
    write("sub/m/chunk-1-trace.csv", "0,1,1,Gamma,1,1\n")
    write("sub/m/chunk-1-dataset.json", '{"0": {"input_tokens": "{1: 1}", "output_tokens": "{2: 1}"}}')
    monkeypatch.setenv("KVRATIO_TRACES", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("top", "top.csv.gz"),
        ("top.csv.gz", "top.csv.gz"),
        ("inner", "sub/inner.csv"),
        ("sub/inner", "sub/inner.csv"),
        ("sub/inner.csv", "sub/inner.csv"),
        ("a/twice", "a/twice.csv"),
        ("twice.jsonl", "b/twice.jsonl"),
        ("azure_2023_code", "AzureLLMInferenceTrace_code.csv"),
        ("sub/m", "sub/m"),
    ],
)
def test_names(root, name, file):
    """Each way to name a trace leads to its file."""
    assert find_trace(name) == root / file


def test_a_path_wins_over_a_name(root, write):
    """A path that exists is taken as it is, wherever it is."""
    path = write("elsewhere/top", OWN)
    assert find_trace(path) == path
    assert load_trace(str(path), memory=10).n == 1


def test_ambiguous_and_unknown_names(root):
    """Two files of one name, a known trace that is not here, and a slip of the pen each get their own answer."""
    with pytest.raises(TraceError, match=r"twice is the name of 2 traces .*a/twice\.csv, b/twice\.jsonl"):
        find_trace("twice")
    with pytest.raises(TraceError, match="kvratio traces fetch azure_2024_conv_1week"):
        find_trace("azure_2024_conv_1week")
    with pytest.raises(TraceError, match=r"did you mean .*inner"):
        find_trace("sub/iner")


def test_names_do_not_leave_the_folder(root, tmp_path):
    """A name with .. does not reach files outside the folder."""
    (tmp_path.parent / "outside.csv").write_text(OWN)
    with pytest.raises(TraceError, match="no trace"):
        find_trace("../outside.csv")


def test_listing(root):
    """The listing has every trace with its format, client files as one folder, and nothing else."""
    assert {trace.name: trace.format for trace in local_traces()} == {
        "AzureLLMInferenceTrace_code": "azure_csv",
        "a/twice": "kvratio",
        "b/twice": "kvratio_lengths",
        "sub/inner": "kvratio",
        "sub/m": "servegen_client_files",
        "top": "kvratio",
    }


def test_unset_and_wrong_variable(monkeypatch, tmp_path):
    """Unset, there is no folder and an empty listing; set to a file, the error names the variable."""
    monkeypatch.delenv("KVRATIO_TRACES", raising=False)
    assert traces_folder() is None
    assert local_traces() == []
    monkeypatch.setenv("KVRATIO_TRACES", str(tmp_path / "none"))
    with pytest.raises(TraceError, match="KVRATIO_TRACES is"):
        find_trace("top")

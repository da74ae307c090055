"""Files that are damaged, or are not what they seem: one line with file, line, column and value."""

import gzip
import pickle
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from instances.traces import load_trace
from kvratio.problem.errors import TraceError

HEAD = "arrival_s,prompt_tokens,output_tokens\n0,1,2\n"
STAMPS = "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.6805900,1,2\n"


def refused(path, **options):
    """Return the message with which a file is refused, after checking that it is one line naming the file."""
    with pytest.raises(TraceError) as fault:
        load_trace(path, memory=1000, **options)
    message = str(fault.value)
    assert "\n" not in message
    assert path.name in message
    return message


@pytest.mark.parametrize(
    ("row", "column", "value"),
    [
        ("1,x,2", "prompt_tokens", "'x'"),
        ("1,,2", "prompt_tokens", "''"),
        ("1,-3,2", "prompt_tokens", "'-3'"),
        ("1,3,2.5", "output_tokens", "'2.5'"),
        ("1,3,1_0", "output_tokens", "'1_0'"),
        ("1,3,nan", "output_tokens", "'nan'"),
        ("1,3,٣", "output_tokens", "'٣'"),
        ("1,99999999999999999999,2", "prompt_tokens", "'99999999999999999999'"),
        ("noon,3,2", "arrival_s", "'noon'"),
        ("inf,3,2", "arrival_s", "'inf'"),
        ("1.2.3,3,2", "arrival_s", "'1.2.3'"),
        ("1e30,3,2", "arrival_s", "'1e30'"),
        (",3,2", "arrival_s", "''"),
        ("1,3", "output_tokens", "missing"),
        ("1,3,2,9", "4", "'9'"),
    ],
)
def test_malformed_csv_row_names_line_column_value(write, row, column, value):
    """Each fault in a CSV row is reported at its line, with column and value."""
    message = refused(write("bad.csv", HEAD + row + "\n3,4,5\n"))
    assert "line 3" in message
    assert column in message
    assert value in message


@pytest.mark.parametrize(
    "stamp",
    [
        "2023-02-30 00:00:00",
        "2023-11-16 25:00:00",
        "2023-11-16 18:15:60.5",
        "2023-11-16",
        "16/11/2023 18:15:46",
        "2023-11-16 18:15:46.",
        "2023-11-16 18:15:46.12x",
        "2023-11-16 18:15:46+00:00",
        "9999-01-01 00:00:00",
        "12",
    ],
)
def test_malformed_stamp_names_line_column_value(write, stamp):
    """A stamp that is no time, or has a zone where the others have none, is reported with its line."""
    message = refused(write("bad.csv", STAMPS + f"{stamp},3,4\n"))
    assert "line 3, column 'TIMESTAMP'" in message
    assert f"'{stamp}'" in message


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ('{"timestamp": 1, "input_length": 5', "line 2"),
        ("[1, 2]", "[1, 2] is not an object"),
        ('{"timestamp": 1, "input_length": 5, "hash_ids": []}', "column 'output_length': missing"),
        ('{"timestamp": 1, "input_length": true, "output_length": 2, "hash_ids": []}', "column 'input_length': True"),
        ('{"timestamp": 1, "input_length": null, "output_length": 2, "hash_ids": []}', "column 'input_length': None"),
        ('{"timestamp": NaN, "input_length": 3, "output_length": 2, "hash_ids": []}', "column 'timestamp': 'NaN'"),
        ('{"timestamp": 1, "input_length": 3, "output_length": 1e999999, "hash_ids": []}', "column 'output_length'"),
        ('{"timestamp": 1, "input_length": 3, "output_length": -2, "hash_ids": []}', "column 'output_length': -2"),
    ],
)
def test_malformed_json_line(write, line, text):
    """Each fault in a JSON line is reported at its line, with key and value."""
    good = '{"timestamp": 0, "input_length": 5, "output_length": 2, "hash_ids": [0]}\n'
    message = refused(write("bad.jsonl", good + line + "\n"))
    assert "line 2" in message
    assert text in message


def test_malformed_parquet_row(tmp_path):
    """A gap in a Parquet column is reported with its row."""
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"prompt_tokens": [1, None], "output_tokens": [3, 4]}), path)
    assert "row 2, column 'prompt_tokens': None" in refused(path)
    at = pa.array([1, None], pa.timestamp("us"))
    pq.write_table(pa.table({"prompt_tokens": [1, 2], "output_tokens": [3, 4], "at": at}), path)
    message = refused(path, columns={"prompt": "prompt_tokens", "output": "output_tokens", "arrival": "at"})
    assert "row 2, column 'at'" in message


def test_fault_in_a_later_block_has_the_right_line(write, monkeypatch):
    """Line numbers count from the start of the file, not of the block."""
    monkeypatch.setattr("instances.traces.blocks.BLOCK_ROWS", 4)
    rows = "".join(f"{k},1,1\n" for k in range(1, 10)) + "10,oops,1\n"
    assert "line 12, column 'prompt_tokens': 'oops'" in refused(write("b.csv", HEAD + rows))


@pytest.mark.parametrize("name", ["trace.csv", "trace.jsonl", "trace.csv.gz"])
def test_lfs_pointer_is_recognised(write, name):
    """A Git LFS pointer in place of the data is called that, with the way out."""
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'ab' * 32}\nsize 96209982\n"
    message = refused(write(name, pointer))
    assert "Git LFS pointer" in message
    assert "git lfs pull" in message


def test_pickle_is_never_opened(write):
    """A pickle is refused by its first byte or its name; nothing in it runs."""
    payload = pickle.dumps([1, 2, 3])
    for name in ("real_trace.pkl", "hidden.csv"):
        assert "never opened" in refused(write(name, payload))
    assert "never opened" in refused(write("old.pkl", b"(lp0\nI1\na."))


def test_damaged_containers(write, tmp_path):
    """A cut gzip stream, a zip archive, binary rubbish, a JSON array, an empty file: each is told apart."""
    whole = gzip.compress((HEAD + "1,2,3\n" * 5000).encode())
    assert "gzip stream is cut" in refused(write("cut.csv", whole[: len(whole) // 2]))
    with zipfile.ZipFile(tmp_path / "z.csv", "w") as archive:
        archive.writestr("a", "b")
    assert "zip archive" in refused(tmp_path / "z.csv")
    assert "not UTF-8" in refused(write("b.csv", b"arrival_s,prompt_tokens,output_tokens\n0,1,\xff\xfe\n"))
    assert "JSON array" in refused(write("a.json", '[{"timestamp": 0}]'))
    assert "empty" in refused(write("e.csv", "\n\n"))
    assert "no rows" in refused(write("h.csv", HEAD.splitlines()[0]))
    assert "damaged Parquet" in refused(write("p.parquet", b"PAR1 and then nothing of use PAR1"))
    assert "is there 2 times" in refused(write("d.csv", "prompt_tokens,output_tokens,prompt_tokens\n1,2,3\n"))


def test_unclosed_quote_is_not_swallowed(write):
    """A quote that never closes is an error, not a row that eats the rest of the file."""
    assert "not CSV" in refused(write("q.csv", HEAD + '1,"2,3\n4,5,6\n'))


def test_missing_file_says_how_to_name_traces(monkeypatch, tmp_path):
    """A path that does not exist is told so; without KVRATIO_TRACES the variable is named."""
    monkeypatch.delenv("KVRATIO_TRACES", raising=False)
    with pytest.raises(TraceError, match="set KVRATIO_TRACES"):
        load_trace(tmp_path / "none.csv", memory=10)
    with pytest.raises(TraceError, match="path is empty"):
        load_trace("", memory=10)

"""Every published format, from small files written here."""

import warnings

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from instances.traces import FORMATS, format_ids, load_trace
from kvratio.problem.errors import BadParameter, TraceError

AZURE = (
    "TIMESTAMP,ContextTokens,GeneratedTokens\r\n"
    "2023-11-16 18:15:46.6805900,374,44\r\n"
    "2023-11-16 18:15:46.7105900,396,109\r\n"
    "2023-11-16 18:15:51.2224670,879,55"
)
WRITTEN = {
    "azure_csv": AZURE,
    "azure_lmm_csv": (
        "TIMESTAMP,NumImages,ContextTokens,GeneratedTokens\n"
        "2025-01-01 00:00:00.000000,2,374,44\n2025-01-01 00:00:00.030000,0,396,109\n"
        "2025-01-01 00:00:04.541877,1,879,55\n"
    ),
    "burstgpt_csv_v1": (
        "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n"
        "5,ChatGPT,374,44,418,Conversation log\n5.03,GPT-4,396,109,505,API log\n9.541877,GPT-4,879,55,934,API log\n"
    ),
    "burstgpt_csv_v3": (
        "Timestamp,Session ID,Elapsed time,Model,Request tokens,Response tokens,Total tokens,Log Type\n"
        "5,,1.5,ChatGPT,374,44,418,API log\n5.03,7,,GPT-4,396,109,505,Conversation log\n"
        "9.541877,7,2,GPT-4,879,55,934,Conversation log\n"
    ),
    "mooncake_jsonl": (
        '{"timestamp": 0, "input_length": 374, "output_length": 44, "hash_ids": [0]}\n'
        '{"timestamp": 30, "input_length": 396, "output_length": 109, "hash_ids": [1]}\n'
        '{"timestamp": 4541.877, "input_length": 879, "output_length": 55, "hash_ids": [0, 2]}\n'
    ),
    "qwen_bailian_jsonl": (
        '{"chat_id": 0, "parent_chat_id": -1, "timestamp": 0.0, "input_length": 374, "output_length": 44, '
        '"type": "text", "turn": 1, "hash_ids": [0]}\n'
        '{"chat_id": 1, "parent_chat_id": 0, "timestamp": 0.03, "input_length": 396, "output_length": 109, '
        '"type": "text", "turn": 2, "hash_ids": [1]}\n'
        '{"chat_id": 2, "parent_chat_id": -1, "timestamp": 4.541877, "input_length": 879, "output_length": 55, '
        '"type": "search", "turn": 1, "hash_ids": [2]}\n'
    ),
    "vidur_csv": (
        "arrived_at,num_prefill_tokens,num_decode_tokens\n0.0,374,44\n0.03,396,109\n4.5418769999999995,879,55\n"
    ),
    "vidur_lengths_csv": (
        "num_prefill_tokens,num_decode_tokens,num_total_tokens,pd_ratio\n"
        "374,44,418,8.5\n396,109,505,3.6\n879,55,934,16.0\n"
    ),
    "kvratio": "arrival_s,prompt_tokens,output_tokens\n0,374,44\n0.03,396,109\n4.541877,879,55\n",
    "kvratio_lengths": "prompt_tokens,output_tokens\n374,44\n396,109\n879,55\n",
}


def test_every_column_format_is_written_here():
    """The table of small files covers every format that is recognised by its columns."""
    assert set(WRITTEN) == set(FORMATS)


@pytest.mark.parametrize("packed", ["", ".gz"])
@pytest.mark.parametrize("format_id", WRITTEN)
def test_format_is_recognised_and_read(write, format_id, packed):
    """Each format gives the same three requests, plain or gzip, with auto-detection and by name."""
    path = write(f"trace.txt{packed}", WRITTEN[format_id])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        auto = load_trace(path, memory=2000)
        named = load_trace(path, memory=2000, format=format_id)
    assert auto == named
    assert auto.info["trace"]["format"] == format_id
    assert auto.prompt.tolist() == [374, 396, 879]
    assert auto.output.tolist() == [44, 109, 55]
    if FORMATS[format_id].arrival is None:
        assert auto.is_batch
        assert auto.arrival_seconds is None
        assert auto.info["trace"]["has_arrivals"] is False
    else:
        assert auto.arrival.tolist() == [0, 1, 151]
        assert auto.arrival_seconds.tolist() == [0.0, 0.03, 4.541877]


def test_azure_2024_stamps_with_zone_and_mixed_fractions(write):
    """Azure 2024 stamps have a zone offset and six fraction digits, or none at all."""
    path = write(
        "week.csv",
        "TIMESTAMP,ContextTokens,GeneratedTokens\n2024-05-12 00:00:00.001163+00:00,5,6\n"
        "2024-05-12 00:00:01+00:00,7,8\n2024-05-12 02:00:02.001163+02:00,9,1\n",
    )
    inst = load_trace(path, memory=100, round_seconds=1)
    assert inst.arrival.tolist() == [0, 0, 2]
    assert inst.arrival_seconds.tolist() == [0.0, 0.998837, 2.0]


def test_batch_keeps_the_seconds(write):
    """batch=True puts all arrivals at 0 and keeps the wall clock in arrival_seconds."""
    inst = load_trace(write("a.csv", AZURE), memory=2000, batch=True)
    assert inst.is_batch
    assert inst.arrival_seconds.tolist() == [0.0, 0.03, 4.541877]


def test_limit_stops_before_a_malformed_row(write):
    """limit=2 reads two rows and never looks at the third, malformed one."""
    path = write("a.csv", "arrival_s,prompt_tokens,output_tokens\n0,1,2\n1,3,4\nx,y,z\n")
    assert load_trace(path, memory=100, limit=2).prompt.tolist() == [1, 3]
    with pytest.raises(TraceError, match="line 4"):
        load_trace(path, memory=100)


def test_many_blocks_join_in_order(write, monkeypatch):
    """A file longer than one block comes out whole and in order, and limit may end inside a block."""
    monkeypatch.setattr("instances.traces.blocks.BLOCK_ROWS", 7)
    path = write(
        "long.csv", "arrival_s,prompt_tokens,output_tokens\n" + "".join(f"{k}.5,{k + 1},{k + 1}\n" for k in range(100))
    )
    inst = load_trace(path, memory=1000, round_seconds=1)
    assert inst.prompt.tolist() == list(range(1, 101))
    assert inst.arrival.tolist() == list(range(100))
    assert load_trace(path, memory=1000, limit=10).prompt.tolist() == list(range(1, 11))


def test_ties_keep_file_order(write):
    """Requests with one stamp stay in the order of the file, also when the file is sorted by us."""
    path = write("t.csv", "arrival_s,prompt_tokens,output_tokens\n1,1,1\n0,2,1\n1,3,1\n0,4,1\n")
    with pytest.warns(UserWarning, match="2 out of order"):
        inst = load_trace(path, memory=100)
    assert inst.prompt.tolist() == [2, 4, 1, 3]


def test_column_map_on_csv_with_milliseconds(write):
    """A column map and a time unit read any CSV."""
    path = write("own.csv", "id,when,in,out\na,1000,5,6\nb,1090,7,8\n")
    inst = load_trace(
        path,
        memory=100,
        columns={"prompt": "in", "output": "out", "arrival": "when"},
        time_unit="ms",
        round_seconds=0.09,
    )
    assert inst.prompt.tolist() == [5, 7]
    assert inst.arrival.tolist() == [0, 1]
    assert inst.info["trace"]["format"] == "plain"


def test_column_map_on_jsonl_without_arrivals_is_a_batch(write):
    """A column map that names no arrival gives a batch."""
    path = write("own.jsonl.gz", '{"in": 5, "out": 6}\n\n{"in": 7, "out": 8.0}\n')
    inst = load_trace(path, memory=100, columns={"prompt": "in", "output": "out"})
    assert inst.is_batch
    assert inst.output.tolist() == [6, 8]


@pytest.mark.parametrize(
    ("arrivals", "unit"),
    [
        (pa.array([10.0, 10.03, 10.5]), "s"),
        (pa.array([10_000, 10_030, 10_500], pa.int32()), "ms"),
        (pa.array([10_000_000, 10_030_000, 10_500_000], pa.timestamp("us", tz="UTC")), "datetime"),
        (pa.array(["2024-01-01 00:00:10", "2024-01-01 00:00:10.03", "2024-01-01T00:00:10.5"]), "datetime"),
    ],
)
def test_parquet_with_any_kind_of_arrival(tmp_path, arrivals, unit):
    """Parquet is read with times as floats, integers, timestamps or text."""
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"in": pa.array([1, 2, 3], pa.uint16()), "out": [4, 5, 6], "at": arrivals}), path)
    inst = load_trace(path, memory=100, columns={"prompt": "in", "output": "out", "arrival": "at"}, time_unit=unit)
    assert inst.arrival.tolist() == [0, 1, 16]
    assert inst.prompt.tolist() == [1, 2, 3]
    assert load_trace(path, memory=100, limit=2, columns={"prompt": "in", "output": "out"}).n == 2


def test_parquet_with_published_names_is_recognised(tmp_path):
    """A Parquet copy of this project's columns needs no column map."""
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"arrival_s": [0.0, 0.09], "prompt_tokens": [1, 2], "output_tokens": [3, 4]}), path)
    assert load_trace(path, memory=100).arrival.tolist() == [0, 3]


def test_quoted_fields_bom_and_blank_lines(write):
    """Quoted fields, a byte order mark, and empty lines are read; line numbers in errors still count every line."""
    text = '\ufeff"arrival_s", prompt_tokens ,output_tokens\n\n"0","1","2"\n\n1,3,4\n'
    assert load_trace(write("q.csv", text), memory=100).prompt.tolist() == [1, 3]
    with pytest.raises(TraceError, match=r"line 6, column 'prompt_tokens': 'bad'"):
        load_trace(write("r.csv", text + "2,bad,4\n"), memory=100)


def test_unknown_columns_list_the_known_formats(write):
    """A file of unknown columns names what it has, every known format, and the way out."""
    with pytest.raises(TraceError) as fault:
        load_trace(write("u.csv", "a,b\n1,2\n"), memory=100)
    message = str(fault.value)
    assert "'a', 'b'" in message
    assert "columns=" in message
    assert all(format_id in message for format_id in format_ids() if format_id != "plain")
    assert "\n" not in message


def test_ambiguous_keys_are_not_guessed(write):
    """A timestamp could be seconds or milliseconds: without hash_ids or chat_id the caller has to say."""
    path = write("a.jsonl", '{"timestamp": 30, "input_length": 1, "output_length": 2}\n')
    with pytest.raises(TraceError, match="format='mooncake_jsonl'"):
        load_trace(path, memory=100)
    assert load_trace(path, memory=100, format="mooncake_jsonl").n == 1


def test_wrong_format_names_the_missing_column(write):
    """A format that does not fit the file says which column is missing."""
    with pytest.raises(TraceError, match=r"vidur_csv needs the column 'arrived_at'; the file has 'TIMESTAMP'"):
        load_trace(write("a.csv", AZURE), memory=2000, format="vidur_csv")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"format": "csv"}, "choose auto or one of"),
        ({"limit": 0}, "limit is 0"),
        ({"limit": 2.5}, "limit is 2.5"),
        ({"round_seconds": 0}, "round_seconds is 0"),
        ({"round_seconds": float("nan")}, "round_seconds is nan"),
        ({"round_seconds": "fast"}, "round_seconds is 'fast'"),
        ({"zero_tokens": "ignore"}, "zero_tokens is 'ignore': choose one of drop, error, one"),
        ({"out_of_order": "x"}, "choose one of sort, keep, error"),
        ({"too_large": "x"}, "choose one of drop, error, clip"),
        ({"columns": {"prompt": "in"}}, "does not name the output column"),
        ({"columns": {"prompts": "in", "output": "o"}}, "key 'prompts'"),
        ({"columns": {"prompt": "in", "output": "o"}, "time_unit": "min"}, "time_unit is 'min'"),
        ({"columns": {"prompt": "in", "output": "o"}, "format": "azure_csv"}, "give columns alone"),
        ({"time_unit": "ms"}, "time_unit goes with columns"),
        ({"window": (0, 1)}, "servegen_client_files only"),
    ],
)
def test_bad_parameters_are_one_clear_line(write, options, text):
    """A parameter without meaning is refused by name and value."""
    path = write("a.csv", AZURE)
    with pytest.raises(BadParameter) as fault:
        load_trace(path, memory=2000, **options)
    assert text in str(fault.value)
    assert "\n" not in str(fault.value)


def test_instance_saves_and_loads_with_its_provenance(write, tmp_path):
    """What is recorded about the trace survives saving as JSON."""
    inst = load_trace(write("a.csv", AZURE), memory=2000)
    again = type(inst).load(inst.save(tmp_path / "i.json"))
    assert again == inst
    assert again.info["trace"] == inst.info["trace"]
    assert np.array_equal(again.arrival_seconds, inst.arrival_seconds)

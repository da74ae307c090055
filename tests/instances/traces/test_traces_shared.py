"""The real traces and upstream samples below KVRATIO_TRACES: counts, sums and quantiles as published."""

import csv
import hashlib
import warnings

import numpy as np
import pytest

from instances.traces import file_hash, find_trace, info, list_sources, load_trace, local_traces

SUMMARY = (
    "azure_2023_code",
    "azure_2023_conv",
    "mooncake_synthetic",
    "vtc_arena",
    "lengths_only/arxiv_summarization_llama2",
    "servegen_deepseek_r1_synth",
)
SAMPLES = {
    "AzureLLMInferenceTrace_code.head200.csv": ("azure_csv", 200, 414_215, 4_907),
    "AzureLLMInferenceTrace_conv.head200.csv": ("azure_csv", 200, 180_695, 47_050),
    "BurstGPT_1.example3.csv": ("burstgpt_csv_v1", 3, 1_976, 524),
    "mooncake_synthetic_trace.head200.jsonl": ("mooncake_jsonl", 200, 2_663_480, 38_364),
    "qwen_bailian.example1.jsonl": ("qwen_bailian_jsonl", 1, 502, 1_494),
    "vidur_arxiv_summarization.head200.csv": ("vidur_lengths_csv", 200, 500_486, 55_440),
    "vidur_splitwise_code.head200.csv": ("vidur_csv", 200, 414_215, 4_907),
    "vidur_splitwise_conv.head200.csv": ("vidur_csv", 200, 180_695, 47_050),
}


@pytest.mark.parametrize("sample", SAMPLES)
def test_upstream_sample(traces_root, sample):
    """Each upstream sample is recognised and gives its rows and token sums, with nothing dropped."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        inst = load_trace(traces_root / "original_format" / sample, memory=1_000_000)
    assert (inst.info["trace"]["format"], inst.n, inst.prompt.sum(), inst.output.sum()) == SAMPLES[sample]


@pytest.mark.parametrize("which", ["code", "conv"])
def test_vidur_and_azure_have_the_same_requests(traces_root, which):
    """The vidur copy of an Azure trace is the same instance, float noise in its seconds notwithstanding."""
    folder = traces_root / "original_format"
    azure = load_trace(folder / f"AzureLLMInferenceTrace_{which}.head200.csv", memory=20_000)
    vidur = load_trace(folder / f"vidur_splitwise_{which}.head200.csv", memory=20_000)
    assert azure == vidur
    assert np.array_equal(azure.arrival_seconds, vidur.arrival_seconds)


@pytest.mark.parametrize(
    ("name", "sample"),
    [
        ("azure_2023_code", "AzureLLMInferenceTrace_code.head200.csv"),
        ("azure_2023_conv", "AzureLLMInferenceTrace_conv.head200.csv"),
        ("mooncake_synthetic", "mooncake_synthetic_trace.head200.jsonl"),
    ],
)
def test_sample_is_the_head_of_the_trace(traces_root, name, sample):
    """The upstream sample in its own format equals the first 200 rows of the converted trace."""
    converted = load_trace(name, memory=300_000, limit=200)
    assert converted == load_trace(traces_root / "original_format" / sample, memory=300_000)


@pytest.mark.parametrize("name", SUMMARY)
def test_trace_agrees_with_its_summary(traces_root, name):
    """Rows, means, quantiles, span, rate and burstiness of each trace are those of the published summary."""
    with (traces_root / "summary.csv").open(newline="") as text:
        row = next(row for row in csv.DictReader(text) if row["trace"] == name)
    inst = load_trace(name, memory=1_000_000)
    assert inst.n == int(row["rows"]) == inst.info["trace"]["rows_read"]
    for kind in ("prompt", "output"):
        values = getattr(inst, kind)
        assert round(float(values.mean()), 3) == float(row[f"{kind}_mean"])
        for at in ("0", "1", "5", "10", "25", "50", "75", "90", "95", "99", "99.9", "100"):
            assert np.quantile(values, float(at) / 100, method="inverted_cdf") == float(row[f"{kind}_p{at}"])
    if row["span_s"]:
        gaps = np.diff(inst.arrival_seconds)
        assert round(float(inst.arrival_seconds[-1]), 3) == float(row["span_s"])
        assert round((inst.n - 1) / float(inst.arrival_seconds[-1]), 5) == float(row["rate_per_s"])
        assert round(float(gaps.std() / gaps.mean()), 4) == float(row["iat_cv"])
    else:
        assert inst.arrival_seconds is None


def test_rounds_of_a_real_trace_are_exact(traces_root):
    """Arrival rounds of azure_2023_conv equal integer division of its microseconds by 30,000."""
    inst = load_trace("azure_2023_conv", memory=131_072)
    micros = np.rint(inst.arrival_seconds * 1e6).astype(np.int64)
    assert np.array_equal(inst.arrival, micros // 30_000)


def test_servegen_sample_draws(traces_root):
    """The sample client of ServeGen is drawn from its one window with traffic, with nothing borrowed."""
    path = traces_root / "original_format" / "servegen_deepseek-r1_chunk-52-trace.csv"
    inst = load_trace(path, memory=100_000)
    assert 50 < inst.n < 140
    assert inst.arrival_seconds[-1] < 600
    assert inst.prompt.min() >= 103
    assert inst.info["trace"]["borrowed_histograms"] == 0


def test_packaged_registry_has_upstreams_facts(traces_root):
    """The registry in the package has the same rows as the table beside the traces."""
    with (traces_root / "sources.csv").open(newline="") as text:
        rows = list(csv.DictReader(text))
    assert [row["name"] for row in rows] == [source.name for source in list_sources()]
    for row in rows:
        source = info(row["name"])
        assert {key: str(getattr(source, key) or "") for key in row} == row


def test_local_listing_names_traces_and_only_traces(traces_root):
    """The listing has the traces, each findable by the name it gives, and no tables or notes."""
    found = local_traces()
    names = [trace.name for trace in found]
    assert set(SUMMARY) <= set(names)
    assert not {"summary", "sources", "vtc_arena_tenant"} & set(names)
    for trace in found:
        assert find_trace(trace.name) == trace.path


def test_file_hash(traces_root):
    """file_hash is the sha256 of the bytes."""
    path = traces_root / "azure_2023_conv.csv.gz"
    assert file_hash(path) == hashlib.sha256(path.read_bytes()).hexdigest()

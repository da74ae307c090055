"""The published trace formats: which columns they have, and how each is recognised by its column names."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from kvratio.problem.errors import BadParameter, TraceError

#: units of an arrival column: wall-clock text, or a number of these
TIME_UNITS = ("s", "ms", "us", "ns", "datetime")


@dataclass(frozen=True)
class TraceFormat:
    """Column names and units of one published format.

    Attributes
    ----------
    id : str
        The name that ``load_trace(format=...)`` takes.
    prompt, output : str
        Columns of prompt and output tokens.
    arrival : str or None
        Column of the arrival; None where the format has lengths only.
    time_unit : str
        One of `TIME_UNITS`: how the arrival column is written.
    marks : frozenset of str
        Further columns that must be there for the format to be recognised by itself.
    about : str
        One sentence for people.
    """

    id: str
    prompt: str
    output: str
    arrival: str | None
    time_unit: str = "s"
    marks: frozenset[str] = frozenset()
    about: str = ""

    @property
    def needed(self) -> tuple[str, ...]:
        """Columns that are read."""
        return (self.prompt, self.output) if self.arrival is None else (self.arrival, self.prompt, self.output)

    def fits(self, names: Collection[str]) -> bool:
        """Whether a file with these columns is recognised as this format."""
        return set(self.needed) <= set(names) and self.marks <= set(names)


#: id of the format that is a folder of files, drawn by `instances.traces.servegen`
SERVEGEN = "servegen_client_files"
#: id of the format whose columns the caller names
PLAIN = "plain"

_AZURE = ("ContextTokens", "GeneratedTokens", "TIMESTAMP", "datetime")
_BURST = ("Request tokens", "Response tokens", "Timestamp", "s")
_KEYS = ("input_length", "output_length", "timestamp")

# Order matters: the format with more marks comes first, so that a superset of columns is not taken for its subset.
_KNOWN = (
    TraceFormat(
        "azure_lmm_csv", *_AZURE, frozenset({"NumImages"}), "Azure 2025 multimodal: as Azure 2023, plus images"
    ),
    TraceFormat("azure_csv", *_AZURE, about="Azure 2023 and 2024: wall-clock stamps, seven or six fraction digits"),
    TraceFormat(
        "burstgpt_csv_v3", *_BURST, frozenset({"Session ID"}), "BurstGPT from its third file on: with sessions"
    ),
    TraceFormat("burstgpt_csv_v1", *_BURST, frozenset({"Model"}), "BurstGPT: seconds from midnight of day one"),
    TraceFormat("qwen_bailian_jsonl", *_KEYS, "s", frozenset({"chat_id"}), "Qwen Bailian: one object a line, seconds"),
    TraceFormat("mooncake_jsonl", *_KEYS, "ms", frozenset({"hash_ids"}), "Mooncake: one object a line, milliseconds"),
    TraceFormat(
        "vidur_csv",
        "num_prefill_tokens",
        "num_decode_tokens",
        "arrived_at",
        about="vidur: seconds from the first request",
    ),
    TraceFormat("vidur_lengths_csv", "num_prefill_tokens", "num_decode_tokens", None, about="vidur: lengths only"),
    TraceFormat("kvratio", "prompt_tokens", "output_tokens", "arrival_s", about="this project's own: seconds, tokens"),
    TraceFormat("kvratio_lengths", "prompt_tokens", "output_tokens", None, about="this project's own: lengths only"),
)
FORMATS: Mapping[str, TraceFormat] = {fmt.id: fmt for fmt in _KNOWN}


def format_ids() -> tuple[str, ...]:
    """Every name that ``load_trace(format=...)`` takes, besides ``"auto"``."""
    return (*FORMATS, SERVEGEN, PLAIN)


def plain_format(columns: Mapping[str, str | None] | None, time_unit: str) -> TraceFormat:
    """Build the format that a caller's column map describes.

    Parameters
    ----------
    columns : mapping, optional
        ``{"prompt": name, "output": name, "arrival": name}``; leave out ``arrival`` for lengths only.
        Default: this project's own names.
    time_unit : str
        One of `TIME_UNITS`.
    """
    if time_unit not in TIME_UNITS:
        raise BadParameter(f"time_unit is {time_unit!r}: choose one of {', '.join(TIME_UNITS)}")
    own = FORMATS["kvratio"]
    given = (
        dict(columns) if columns is not None else {"prompt": own.prompt, "output": own.output, "arrival": own.arrival}
    )
    unknown = sorted(set(given) - {"prompt", "output", "arrival"})
    if unknown:
        raise BadParameter(f"columns has the key {unknown[0]!r}: the keys are prompt, output, arrival")
    prompt, output = given.get("prompt"), given.get("output")
    if not prompt or not output:
        missing = "output" if prompt else "prompt"
        raise BadParameter(f"columns does not name the {missing} column: give columns={{'prompt': ..., 'output': ...}}")
    return TraceFormat(PLAIN, prompt, output, given.get("arrival"), time_unit, about="columns named by the caller")


def recognise(names: Collection[str], where: str) -> TraceFormat:
    """Return the format whose columns these are.

    Raises
    ------
    TraceError
        When no known format has these columns; the message lists the formats and what to do.
    """
    for fmt in _KNOWN:
        if fmt.fits(names):
            return fmt
    shown = ", ".join(repr(name) for name in list(names)[:8]) + (", ..." if len(names) > 8 else "")
    hint = ""
    if set(_KEYS) <= set(names):
        hint = " (timestamp could be milliseconds or seconds: say format='mooncake_jsonl' or 'qwen_bailian_jsonl')"
    raise TraceError(
        f"{where}: no known trace format has the columns {shown}{hint}; known: {', '.join((*FORMATS, SERVEGEN))}; "
        "or map them with columns={'prompt': ..., 'output': ..., 'arrival': ...}"
    )


def require(fmt: TraceFormat, names: Collection[str], where: str) -> None:
    """Raise TraceError unless the columns that ``fmt`` reads are all there, once each."""
    for name in fmt.needed:
        if name not in names:
            found = ", ".join(repr(n) for n in list(names)[:8])
            raise TraceError(f"{where}: format {fmt.id} needs the column {name!r}; the file has {found}")
        if list(names).count(name) > 1:
            raise TraceError(f"{where}: the column {name!r} is there {list(names).count(name)} times; rename one")

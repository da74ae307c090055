"""Finding traces: by path, or by name below the folder that KVRATIO_TRACES names."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from instances.traces.formats import SERVEGEN, recognise
from instances.traces.opening import look_into
from instances.traces.servegen_files import is_client_file
from instances.traces.sources import list_sources
from kvratio.problem.errors import TraceError

#: the environment variable that names the folder of traces
TRACES_VARIABLE = "KVRATIO_TRACES"
_ENDINGS = (".gz", ".csv", ".jsonl", ".parquet", ".json")


@dataclass(frozen=True)
class LocalTrace:
    """A trace found below ``KVRATIO_TRACES``.

    Attributes
    ----------
    name : str
        What `load_trace` takes.
    path : Path
        The file, or the folder of client files.
    format : str
        The format recognised.
    bytes : int
        Size on disk.
    """

    name: str
    path: Path
    format: str
    bytes: int


def traces_folder() -> Path | None:
    """Return the folder that ``KVRATIO_TRACES`` names, or None when it is unset or empty.

    Raises
    ------
    TraceError
        When the variable names something that is not a folder.
    """
    value = os.environ.get(TRACES_VARIABLE, "")
    if not value:
        return None
    folder = Path(value).expanduser()
    if not folder.is_dir():
        raise TraceError(f"{TRACES_VARIABLE} is {value!r}, which is not a folder: set it to the folder of your traces")
    return folder


def logical_name(path: Path) -> str:
    """Return a file's name without its data endings: ``azure_2023_conv`` for ``azure_2023_conv.csv.gz``."""
    name = path.name
    for ending in _ENDINGS:
        name = name.removesuffix(ending)
    return name


def find_trace(path_or_name: str | PathLike[str]) -> Path:
    """Return the file or folder of a trace.

    A path that exists is taken as it is. Otherwise the name is looked for below ``KVRATIO_TRACES``: as a path inside
    it, as a file name with or without its endings in any subfolder, then as a registered name whose upstream file is
    there.

    Raises
    ------
    TraceError
        When there is none, or more than one, with what to do.
    """
    given = os.fspath(path_or_name)
    if not given:
        raise TraceError("path is empty: give a trace file or the name of a trace")
    direct = Path(given).expanduser()
    if direct.exists():
        return direct
    folder = traces_folder()
    if folder is None:
        raise TraceError(
            f"no file {given}: give the path of a trace, or set {TRACES_VARIABLE} to the folder of your traces"
        )
    for found in _candidates(folder, given):
        if len(found) == 1:
            return found[0]
        if found:
            shown = ", ".join(str(path.relative_to(folder)) for path in found[:4])
            raise TraceError(
                f"{given} is the name of {len(found)} traces below {TRACES_VARIABLE} ({shown}): give the path"
            )
    raise TraceError(_not_found(folder, given))


def local_traces(folder: Path | None = None) -> list[LocalTrace]:
    """List the traces below a folder (default: ``KVRATIO_TRACES``): every file whose format is recognised.

    Files that are no trace (tables, notes, pickles) are left out. Returns [] when the variable is unset.
    """
    root = folder if folder is not None else traces_folder()
    if root is None:
        return []
    found: dict[Path, LocalTrace] = {}
    for path in _files(root):
        if is_client_file(path):
            home = path.parent
            size = sum(part.stat().st_size for part in home.iterdir() if "chunk-" in part.name)
            found[home] = LocalTrace(_relative_name(root, home) or home.name, home, SERVEGEN, size)
        elif (format_id := _format_of(path)) is not None:
            found[path] = LocalTrace(_relative_name(root, path), path, format_id, path.stat().st_size)
    return [found[path] for path in sorted(found)]


def _format_of(path: Path) -> str | None:
    if not path.name.endswith((".csv", ".csv.gz", ".jsonl", ".jsonl.gz", ".parquet")):
        return None
    try:
        return recognise(look_into(path).names, str(path)).id
    except TraceError:
        return None  # not a trace, which is what a listing wants to know


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def _relative_name(folder: Path, path: Path) -> str:
    if path == folder:
        return ""
    return (path.parent / logical_name(path)).relative_to(folder).as_posix()


def _candidates(folder: Path, given: str) -> Iterator[list[Path]]:
    """Yield the matches of a name, the most literal reading first."""
    inside = folder / given
    yield [inside] if inside.exists() and inside.resolve().is_relative_to(folder.resolve()) else []
    files = list(_files(folder))
    yield [path for path in files if _relative_name(folder, path) == given]
    yield [path for path in files if given in (path.name, logical_name(path))]
    upstream = {source.name: source.file for source in list_sources()}
    yield [path for path in files if given in upstream and path.name in (upstream[given], upstream[given] + ".gz")]


def _not_found(folder: Path, given: str) -> str:
    registered = [source.name for source in list_sources()]
    if given in registered:
        return (
            f"trace {given} is known but not below {TRACES_VARIABLE}: get it with `kvratio traces fetch {given}` "
            "(`kvratio traces info` shows its source)"
        )
    here = [trace.name for trace in local_traces(folder)]
    close = difflib.get_close_matches(given, list(dict.fromkeys(here + registered)), n=3)
    hint = f"; did you mean {', '.join(close)}?" if close else "; `kvratio traces list` shows what there is"
    return f"no trace {given}: neither a file nor a name below {TRACES_VARIABLE}{hint}"

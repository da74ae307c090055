"""A run made again from what its folder kept, and compared with it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kvratio.problem.errors import BadParameter
from kvratio.suite.difference import Change, differences
from kvratio.suite.identity import PACKAGES, file_hash, package_hash
from kvratio.suite.manifest import data_hashes, versions
from kvratio.suite.run import Run, load_run, run_suite
from kvratio.suite.store import RunFolder


@dataclass(frozen=True)
class Repeat:
    """A run, the run that it repeats, and what came out.

    Parameters
    ----------
    original, run : Run
    changes : tuple of Change
        One for each policy and family; all equal where the run was repeated exactly.
    same_bytes : bool
        Whether ``results.parquet`` is the same file.
    notes : tuple of str
        What was not the same to begin with: sources, libraries, trace files.
    """

    original: Run
    run: Run
    changes: tuple[Change, ...]
    same_bytes: bool
    notes: tuple[str, ...]

    @property
    def equal(self) -> bool:
        """Whether every cell came out the same."""
        return all(change.equal for change in self.changes)


def repeat_run(source: str | Path, out: str | Path | None = None, **options: Any) -> Repeat:
    """Run the suite of a finished run again, with the users' files that it kept, and compare.

    Parameters
    ----------
    source : path
        Its folder, or the ``manifest.json`` in it.
    out : path, optional
        Folder of the repeat; default: beside the run, with ``-again`` after its name.
    options
        Of `run_suite`: workers, backend and so on.

    Raises
    ------
    UnknownName, BadParameter
        No finished run is there, a file that it kept was changed, or ``out`` is the run itself.
    """
    path = Path(source)
    path = path.parent if path.name == "manifest.json" else path
    original = load_run(path)
    target = Path(out) if out is not None else path.with_name(path.resolve().name + "-again")
    if target.resolve() == path.resolve():
        raise BadParameter(f"{target} is the run to repeat: give another folder with --out")
    notes = unlike(original.folder)
    run = run_suite(original.suite, out=target, **options)
    first, second = (file_hash(r.folder.results / "results.parquet") for r in (original, run))
    changes = differences(original.table(), run.table(), original.suite.resamples, original.suite.confidence)
    return Repeat(original, run, tuple(changes), first == second, tuple(notes))


def unlike(folder: RunFolder) -> list[str]:
    """Say, a line each, what of a run is not the same here: sources, libraries, trace files."""
    data = folder.read_manifest()
    recorded = data.get("sources_sha256", {})
    sources = [package for package in PACKAGES if recorded.get(package) != package_hash(package)]
    here = versions()
    libraries = [f"{name} {there} (here {here.get(name)})" for name, there in data["versions"].items()]
    libraries = [
        text for text, name in zip(libraries, data["versions"], strict=True) if data["versions"][name] != here.get(name)
    ]
    traces = data_hashes(load_run(folder.path).suite)
    moved = [name for name, digest in data.get("data_sha256", {}).items() if traces.get(name) != digest]
    found = (("sources", sources), ("libraries", libraries), ("trace files", moved))
    return [f"other {what} than those of {folder.path}: {', '.join(names)}" for what, names in found if names]


__all__ = ["Repeat", "repeat_run", "unlike"]

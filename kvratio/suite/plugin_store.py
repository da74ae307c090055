"""The sources of users' files in a run folder: what ran, byte for byte, so that the run can be made again."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kvratio.problem.errors import BadParameter
from kvratio.problem.plugins import Plugin, SourceFile, Sources


def keep_plugins(plugins: Sequence[Plugin], folder: Path) -> list[dict[str, Any]]:
    """Write the sources of plug-ins below a folder; return their entries for the manifest.

    Each plug-in has a folder named by its hash, in which each file lies as it is imported: ``a.b`` is ``a/b.py``.
    """
    return [_keep(plugin, folder) for plugin in plugins]


def kept_plugins(folder: Path, manifest: Mapping[str, Any]) -> dict[str, Plugin]:
    """Return the plug-ins that a run folder keeps, by digest.

    Raises
    ------
    BadParameter
        A file was changed or is gone.
    """
    return {entry["digest"]: _restore(entry, folder) for entry in manifest.get("plugins", ())}


def _keep(plugin: Plugin, folder: Path) -> dict[str, Any]:
    sources, files = plugin.sources, []
    home = folder / sources.digest[:16]
    for file in sources.files:
        if not file.path.endswith(".py"):
            files.append({"name": file.name, "package": True, "kept": None, "sha256": None})
            continue
        stem = Path(*file.name.split("."))
        kept = stem / "__init__.py" if file.is_package else stem.with_suffix(".py")
        target = home / kept
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.text)
        digest = hashlib.sha256(file.text).hexdigest()
        files.append({"name": file.name, "package": file.is_package, "kept": kept.as_posix(), "sha256": digest})
    return {
        "kind": plugin.kind,
        "text": plugin.text,
        "name": plugin.name,
        "digest": plugin.digest,
        "main": sources.main,
        "folder": f"{folder.name}/{home.name}",
        "files": files,
        "installed": list(sources.installed),
        "ours": list(sources.ours),
    }


def _restore(entry: Mapping[str, Any], folder: Path) -> Plugin:
    home = folder.parent / entry["folder"]
    files = []
    for about in entry["files"]:
        if about["kept"] is None:
            files.append(SourceFile(about["name"], str(home.joinpath(*about["name"].split("."))), b"", True))
            continue
        path = home / about["kept"]
        text = path.read_bytes() if path.is_file() else b""
        if hashlib.sha256(text).hexdigest() != about["sha256"]:
            raise BadParameter(f"{path}: changed or gone since the run: it is what {entry['text']} was made of")
        files.append(SourceFile(about["name"], str(path.resolve()), text, about["package"]))
    sources = Sources(entry["main"], tuple(files), tuple(entry["installed"]), tuple(entry["ours"]))
    return Plugin(entry["text"], entry["kind"], entry["name"], sources)


__all__ = ["keep_plugins", "kept_plugins"]

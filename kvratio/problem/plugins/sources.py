"""The sources of a plug-in: its file and every file it reaches by import statements, as bytes, with their hash.

Modules of kvratio and of the standard library are left out (the first are hashed where results are keyed, the second
belong to the Python version). Of installed packages the version counts.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.metadata
import os
import re
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.machinery import PathFinder
from pathlib import Path

from kvratio.problem.compiled import OUR_PACKAGES

#: folders of the standard library and of installed packages
_STANDARD = tuple(str(Path(sysconfig.get_path(name)).resolve()) for name in ("stdlib", "platstdlib"))
_INSTALLED = ("site-packages", "dist-packages")


@dataclass(frozen=True)
class SourceFile:
    """One file: the dotted name by which it is imported, its path, its bytes, and whether it is a package."""

    name: str
    path: str
    text: bytes
    is_package: bool = False


@dataclass(frozen=True)
class Sources:
    """A plug-in's files as they were at one moment.

    Parameters
    ----------
    main : str
        Dotted name of the file that holds the card.
    files : tuple of SourceFile
        Sorted by name.
    installed : tuple of str
        Installed packages it imports, as ``name version``.
    ours : tuple of str
        Modules of kvratio it imports.
    """

    main: str
    files: tuple[SourceFile, ...]
    installed: tuple[str, ...] = ()
    ours: tuple[str, ...] = ()

    @cached_property
    def digest(self) -> str:
        """sha256 of names and bytes of all files and of the versions of installed packages; no path is in it."""
        total = hashlib.sha256(self.main.encode())
        for file in self.files:
            total.update(b"\0" + file.name.encode() + b"\0" + hashlib.sha256(file.text).digest())
        total.update("\0".join(self.installed).encode())
        return total.hexdigest()

    @cached_property
    def package(self) -> str:
        """Name of the private package into which the files are loaded: unlike for other contents or places."""
        where = hashlib.sha256(f"{self.digest} {self.path}".encode()).hexdigest()
        return f"kvratio_plugin_{where[:20]}"

    @cached_property
    def by_name(self) -> dict[str, SourceFile]:
        """Files by their dotted names."""
        return {file.name: file for file in self.files}

    @property
    def path(self) -> str:
        """Path of the main file."""
        return self.by_name[self.main].path


def collect(file: Path, roots: tuple[Path, ...] = (), main: str = "") -> Sources:
    """Read a file and all that it imports.

    Parameters
    ----------
    file : Path
        An existing file.
    roots : tuple of Path
        Folders in which its imports are looked up first; default: its own, and that above its package.
    main : str
        Dotted name; default: from the file's name.

    Raises
    ------
    OSError
        A file cannot be read.
    """
    file = file.resolve()
    home = _package_root(file)
    if not main:
        main = ".".join((*file.parent.relative_to(home).parts, file.stem)) if home != file.parent else file.stem
        main = ".".join(re.sub(r"\W", "_", part) or "_" for part in main.split("."))
    roots = roots or tuple(dict.fromkeys((file.parent, home)))
    found: dict[str, SourceFile] = {}
    installed: set[str] = set()
    ours: set[str] = set()
    todo = [_read(main, file)]
    for parent in _parents(main):
        _add(todo, parent, _file_of(parent, (home,)))
    while todo:
        current = todo.pop()
        if current.name in found:
            continue
        found[current.name] = current
        for name in imports(current):
            top = name.partition(".")[0]
            if top in OUR_PACKAGES:
                ours.add(name)
                continue
            where = roots if _is_here(top, roots) else _elsewhere(top, (os.getcwd(), *sys.path))
            if isinstance(where, str):
                installed.add(where)
                continue
            for part in (*_parents(name), name) if where else ():
                if part not in found:
                    _add(todo, part, _file_of(part, where))
    files = tuple(found[name] for name in sorted(found))
    return Sources(main, files, tuple(sorted(installed)), tuple(sorted(ours)))


def imports(file: SourceFile) -> tuple[str, ...]:
    """Return the absolute dotted names that a file may import; nothing for one that is not Python."""
    try:
        tree = ast.parse(file.text)
    except (SyntaxError, ValueError):
        return ()  # loading it will say what is wrong
    names: dict[str, None] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(dict.fromkeys(alias.name for alias in node.names))
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, file)
            names.update(dict.fromkeys([base] if base else []))
            names.update(dict.fromkeys(f"{base}.{alias.name}".lstrip(".") for alias in node.names))
    return tuple(names)


def module_file(dotted: str) -> tuple[Path, Path] | None:
    """Return (root folder, file) of an importable module, found without running anything; None if there is none."""
    top = dotted.partition(".")[0]
    for entry in (Path.cwd(), *(Path(entry or ".") for entry in sys.path)):
        found = _file_of(dotted, (entry,))
        if found is not None and found.is_file():
            return entry.resolve(), found.resolve()
    spec = PathFinder.find_spec(top)
    for place in (spec.submodule_search_locations or ()) if spec else ():
        found = _file_of(dotted, (Path(place).parent,))
        if found is not None and found.is_file():
            return Path(place).parent, found
    return None


def _absolute(node: ast.ImportFrom, file: SourceFile) -> str:
    if not node.level:
        return node.module or ""
    parts = file.name.split(".")
    parts = parts[: len(parts) - node.level + file.is_package]
    return ".".join([*parts, *([node.module] if node.module else [])])


def _package_root(file: Path) -> Path:
    """Folder above the outermost package that holds a file; its own folder if it is in none."""
    folder = file.parent
    while (folder / "__init__.py").is_file() and folder.parent != folder and folder.name.isidentifier():
        folder = folder.parent
    return folder


def _parents(name: str) -> Iterator[str]:
    parts = name.split(".")
    return (".".join(parts[:k]) for k in range(1, len(parts)))


def _is_here(top: str, roots: tuple[Path, ...]) -> bool:
    return any((root / f"{top}.py").is_file() or (root / top / "__init__.py").is_file() for root in roots) or any(
        (root / top).is_dir() and top not in sys.stdlib_module_names and PathFinder.find_spec(top) is None
        for root in roots
    )


@lru_cache(maxsize=1024)
def _elsewhere(top: str, looked_up: tuple[str, ...]) -> str | tuple[Path, ...]:
    """Return the folders that hold a user's module, ``name version`` of an installed package, or () for neither.

    ``looked_up`` are the folders in which Python looks for modules, for the memory of this function only.
    """
    if top in sys.stdlib_module_names:
        return ()
    spec = PathFinder.find_spec(top)
    if spec is None:
        return ()
    places = [*(spec.submodule_search_locations or ())]
    if spec.origin and spec.has_location:
        places.append(spec.origin)
    if any(part in place for place in places for part in _INSTALLED):
        return f"{top} {_version(top)}"
    if not places or any(str(Path(place).resolve()).startswith(_STANDARD) for place in places):
        return ()
    return (Path(places[0]).parent if spec.submodule_search_locations else Path(places[-1]).parent,)


def _version(top: str) -> str:
    for candidate in (top, *importlib.metadata.packages_distributions().get(top, ())):
        try:
            return importlib.metadata.version(candidate)
        except importlib.metadata.PackageNotFoundError:
            continue
    return "unknown"


def _file_of(dotted: str, roots: tuple[Path, ...]) -> Path | None:
    """Return the file of a module below some folders; a folder without ``__init__.py`` is returned itself."""
    for root in roots:
        stem = root.joinpath(*dotted.split("."))
        for candidate in (stem / "__init__.py", stem.with_name(stem.name + ".py")):
            if candidate.is_file():
                return candidate
        if stem.is_dir():
            return stem
    return None


def _add(todo: list[SourceFile], name: str, path: Path | None) -> None:
    if path is not None:
        todo.append(_read(name, path))


def _read(name: str, path: Path) -> SourceFile:
    if path.is_dir():
        return SourceFile(name, str(path), b"", is_package=True)
    return SourceFile(name, str(path), path.read_bytes(), path.name == "__init__.py")


__all__ = ["SourceFile", "Sources", "collect", "imports", "module_file"]

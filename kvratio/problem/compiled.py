"""Compilation with a disk cache that notices every edit.

numba keys its cache by the file that holds a function and does not see edits in the files that function calls.
Here the cache folder is named by the source of the module and of every module of ours it imports, so a stale
machine code file can never be found.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numba


def cache_root() -> Path:
    """Return the folder for compiled code: ``KVRATIO_CACHE``, else the user's cache folder."""
    given = os.environ.get("KVRATIO_CACHE")
    base = Path(given) if given else Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "kvratio"
    return base / "compiled"


def compiled(function: Callable[..., Any] | None = None, *, signature: Any = None, **options: Any) -> Any:
    """Compile a function in nopython mode and cache the result on disk.

    Use as ``@compiled`` or ``@compiled(signature=...)``. The options are those of ``numba.njit``.
    """
    if function is None:
        return lambda f: compiled(f, signature=signature, **options)
    if not Path(function.__code__.co_filename).is_file():
        # Typed at a prompt or given by -c: there is no source to key a cache by.
        return numba.njit(**options)(function) if signature is None else numba.njit(signature, **options)(function)
    config: Any = numba.config
    before = config.CACHE_DIR
    # numba reads the folder while the decorator runs, so it is set for just that long.
    config.CACHE_DIR = str(cache_root() / source_hash(function.__module__)[:16])
    try:
        jit = numba.njit(cache=True, **options) if signature is None else numba.njit(signature, cache=True, **options)
        return jit(function)
    finally:
        config.CACHE_DIR = before


#: Options for code on the hot path: no reference counts, so the function must not allocate arrays. Counting the
#: references of a `View`'s arrays at every call made the event loop three times slower.
UNCOUNTED: dict[str, Any] = {"_nrt": False}


def inlined(function: Callable[..., Any]) -> Any:
    """Compile a small function that allocates nothing and is folded into every caller.

    Passing a `View` to a function that is not folded in copies some eighty words a call.
    """
    return compiled(function, forceinline=True, **UNCOUNTED)


def source_hash(module: str) -> str:
    """Return the sha256 of a module's source together with every module it reaches inside our packages.

    Of a plug-in (`kvratio.problem.plugins`) all files count, as they were pinned; a user's module that was imported
    the ordinary way is read anew at every call, since it may have been edited and reloaded.

    Parameters
    ----------
    module : str
        Dotted name; it must be importable by path (already imported, or a sibling of an imported package).
    """
    return _hash_of_ours(module) if module.partition(".")[0] in OUR_PACKAGES else _hash_of(module)


@cache
def _hash_of_ours(module: str) -> str:
    return _hash_of(module)


def _hash_of(module: str) -> str:
    digest = hashlib.sha256(f"numba {numba.__version__} numpy python {sys.version_info[:2]}".encode())
    pinned = getattr(sys.modules.get(module), "__kvratio_sources__", None)
    if pinned is not None:
        digest.update(pinned.digest.encode())
        paths = set().union(*(_reachable(_path_of(name)) for name in pinned.ours))
    else:
        paths = _reachable(_path_of(module))
    for path in sorted(paths):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _reachable(path: Path | None) -> set[Path]:
    seen: set[Path] = set()
    todo = [path] if path else []
    while todo:
        current = todo.pop()
        if current in seen:
            continue
        seen.add(current)
        for name in _imports(current, current.stat().st_mtime_ns, current.stat().st_size):
            found = _path_of(name)
            if found and found not in seen:
                todo.append(found)
    return seen


#: An import statement, wherever it stands; a hit inside a text only adds a file to the key.
_IMPORT = re.compile(r"^[ \t]*(?:from[ \t]+([\w.]+)[ \t]+import[ \t]+(\([^)]*\)|[^\n]*)|import[ \t]+([^\n]*))", re.M)


@cache
def _imports(path: Path, changed: int, size: int) -> tuple[str, ...]:
    """Return dotted names that a file imports; ``from a import b`` may mean module a.b, so both are given.

    ``changed`` and ``size`` are those of the file, so that an edited one is read again.

    Read by a pattern, not by a parser: this runs in every process before the first result.
    """
    names: set[str] = set()
    for home, members, modules in _IMPORT.findall(path.read_text()):
        if home:
            names.add(home)
            names.update(f"{home}.{member}" for member in re.findall(r"\w+", members))
        else:
            names.update(re.findall(r"[\w.]+", modules))
    return tuple(sorted(names))


#: packages whose files count; a user's own module counts through ``sys.modules``
OUR_PACKAGES = ("kvratio", "algos", "instances", "lowerbounds", "stability", "gpu_validate")


def _path_of(module: str) -> Path | None:
    """Return the source file of a module of ours, or of a user's module that is not installed."""
    loaded = sys.modules.get(module)
    top = module.partition(".")[0]
    if top not in OUR_PACKAGES:
        file = getattr(loaded, "__file__", None)
        if file is None or "site-packages" in file or top in sys.stdlib_module_names or not file.endswith(".py"):
            return None
        return Path(file)
    root = sys.modules.get(top)
    paths = getattr(root, "__path__", None)
    if not paths:
        return None
    stem = Path(next(iter(paths))).joinpath(*module.split(".")[1:])
    for candidate in (stem.with_suffix(".py"), stem / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None

"""Loading pinned sources: each plug-in into a private package of its own, so that equal file names never meet.

What is run is the bytes that were read when the plug-in was named, in this process and in every worker; an edit
afterwards is a different plug-in, with a different package name, loaded beside the first.
"""

from __future__ import annotations

import builtins
import importlib
import importlib.abc
import importlib.machinery
import importlib.metadata
import importlib.util
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from kvratio.problem.compiled import OUR_PACKAGES
from kvratio.problem.errors import BadParameter, KvratioError, UnknownName
from kvratio.problem.plugins.reference import GROUPS, Reference, is_reference, read_reference
from kvratio.problem.plugins.sources import Sources, collect, module_file


class PluginError(KvratioError):
    """A plug-in's file exists and cannot be loaded; the fault itself is the ``__cause__``."""


@dataclass(frozen=True)
class Plugin:
    """A plug-in as it was when it was named; travels to workers by pickle.

    Parameters
    ----------
    text : str
        As written.
    kind : {"policy", "family", "bound"}
    name : str
        Id or variable of the card; empty: the only one there is.
    sources : Sources
    """

    text: str
    kind: str
    name: str
    sources: Sources

    @property
    def short(self) -> str:
        """File name with the card's name, for messages."""
        return Path(self.sources.path).name + (f":{self.name}" if self.name else "")

    @property
    def digest(self) -> str:
        """Hash of all that it is made of, with the name of the card."""
        return f"{self.sources.digest}:{self.name}"

    def load(self) -> ModuleType:
        """Return the module that holds the card, run once per process and content.

        Raises
        ------
        PluginError
            The file does not compile, or running it raised.
        """
        full = f"{self.sources.package}.{self.sources.main}"
        try:
            _open_package(self.sources)
            before = set(sys.modules)
            module = importlib.import_module(full)
        except (Exception, SystemExit) as fault:
            raise PluginError(f"{self.short}: {place(fault, self.sources)}{describe(fault)}") from fault
        self._warn_of_hidden_imports(set(sys.modules) - before)
        return module

    def _warn_of_hidden_imports(self, names: Iterable[str]) -> None:
        hidden = sorted(name for name in names if _is_a_users(name))
        if hidden:
            warnings.warn(
                f"{self.short} loads {hidden[0]} by other means than an import statement: edits there go unnoticed",
                UserWarning,
                stacklevel=3,
            )


# -- naming -----------------------------------------------------------------------------------------------------------
def find(text: str | os.PathLike[str], kind: str, folder: str | Path | None = None) -> Plugin | None:
    """Return the plug-in that a name means, its sources read; None for a name that means none.

    Parameters
    ----------
    text : str or path
        ``file.py``, ``file.py:name``, ``module:name`` or the name of an installed entry point.
    kind : {"policy", "family", "bound"}
    folder : path, optional
        Where relative files are; default: the current folder.

    Raises
    ------
    UnknownName
        There is no such file or module.
    """
    if is_reference(text):
        reference = read_reference(text, folder)
        assert reference is not None
        return _pin(reference, kind)
    value = installed(kind).get(str(text)) if isinstance(text, str) else None
    if value is None:
        return None
    module, _, name = value.partition(":")
    return _pin(Reference(str(text), module=module, name=name), kind)


def installed(kind: str) -> dict[str, str]:
    """Return the entry points that installed packages offer for a kind: name to ``module:variable``."""
    return {point.name: point.value for point in importlib.metadata.entry_points(group=GROUPS[kind])}


def _pin(reference: Reference, kind: str) -> Plugin:
    what = f"{kind} {reference.text!r}"
    try:
        if reference.file:
            file = Path(reference.file)
            if not file.is_file():
                raise UnknownName(f"{what}: there is no file {file}")
            return Plugin(reference.text, kind, reference.name, collect(file))
        found = module_file(reference.module)
        if found is None:
            hint = f"; a parameter is written {reference.module}:{reference.name}=VALUE" if reference.name else ""
            raise UnknownName(f"{what}: there is no module {reference.module}{hint}")
        root, file = found
        return Plugin(reference.text, kind, reference.name, collect(file, (root,), reference.module))
    except OSError as fault:
        raise UnknownName(f"{what}: {fault.filename or reference.file}: {fault.strerror}") from fault


# -- choosing a card --------------------------------------------------------------------------------------------------
def objects(module: ModuleType, wanted: type) -> dict[str, Any]:
    """Return the cards of a module by variable: those in ``CARDS`` or ``CARD``, else all that stand in it.

    A sequence ``CARDS`` gives its members under ``CARDS[0]``, ``CARDS[1]``, ..
    """
    found: dict[str, Any] = {}
    many = getattr(module, "CARDS", None)
    if isinstance(many, Sequence) and not isinstance(many, str):
        found = {f"CARDS[{k}]": card for k, card in enumerate(many) if isinstance(card, wanted)}
    if isinstance(getattr(module, "CARD", None), wanted):
        found["CARD"] = module.CARD
    every = {name: value for name, value in vars(module).items() if isinstance(value, wanted)}
    return _distinct(found or every)


def require(plugin: Plugin, wanted: type, identify: Callable[[Any], str], taken: Callable[[str], bool]) -> Any:
    """Load a plug-in and return its card.

    Parameters
    ----------
    plugin : Plugin
    wanted : type
        Class of the cards.
    identify : callable
        Card -> id.
    taken : callable
        Whether an id is that of a built-in one, which a plug-in may not use.

    Raises
    ------
    PluginError
        The file cannot be loaded.
    UnknownName
        It has no card of that name.
    BadParameter
        It has no card, several and none is named, or one with the id of a built-in.
    """
    module = plugin.load()
    cards = objects(module, wanted)
    chosen: list[Any]
    if plugin.name:
        chosen = [card for card in cards.values() if identify(card) == plugin.name]
        named = getattr(module, plugin.name, None)
        if not chosen and isinstance(named, wanted):
            chosen = [named]
    else:
        chosen = list(cards.values())
    ids = ", ".join(str(identify(card)) for card in cards.values())
    file = Path(plugin.sources.path).name
    if not cards:
        raise BadParameter(
            f"{file} has no {plugin.kind}: set CARD to a {wanted.__name__} (docs/add_a_{plugin.kind}.md)"
        )
    if not chosen:
        raise UnknownName(f"{file} has no {plugin.kind} named {plugin.name}: it has {ids}")
    if len(chosen) > 1:
        same = len({identify(card) for card in chosen}) < len(chosen)
        advice = "give each its own id" if same else f"say which, as {file}:{identify(chosen[0])}"
        raise BadParameter(f"{file} has {len(chosen)} {_plural(plugin.kind)}, {ids}: {advice}")
    if taken(identify(chosen[0])):
        raise BadParameter(f"{file}: {identify(chosen[0])!r} is the id of a built-in {plugin.kind}: choose another")
    return chosen[0]


def _plural(kind: str) -> str:
    return {"policy": "policies", "family": "families"}.get(kind, kind + "s")


def _distinct(cards: dict[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name, card in cards.items():
        if not any(card is other for other in kept.values()):
            kept[name] = card
    return kept


# -- faults -----------------------------------------------------------------------------------------------------------
def place(fault: BaseException, sources: Sources) -> str:
    """Say where in the plug-in's files a fault arose, as ``line 7: ``; empty where it arose elsewhere."""
    if isinstance(fault, SyntaxError) and fault.lineno is not None:
        return f"line {fault.lineno}: "
    files = {file.path for file in sources.files}
    at, trace = "", fault.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename in files:
            name = Path(trace.tb_frame.f_code.co_filename).name
            inside = "" if name == Path(sources.path).name else f"{name} "
            at = f"{inside}line {trace.tb_lineno}: "
        trace = trace.tb_next
    return at


def describe(fault: BaseException) -> str:
    """Type and message of a fault on one line."""
    text = fault.msg if isinstance(fault, SyntaxError) else str(fault)
    return f"{type(fault).__name__}: {' '.join(text.split()) or 'no message'}"


# -- the private packages ---------------------------------------------------------------------------------------------
_OPEN: dict[str, Sources] = {}


def _open_package(sources: Sources) -> None:
    """Make the private package known, so that its modules can be imported."""
    if sources.package in _OPEN and sources.package in sys.modules:
        return
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
    root = ModuleType(sources.package)
    root.__path__ = []
    _OPEN[sources.package] = sources
    sys.modules[sources.package] = root


class _Finder(importlib.abc.MetaPathFinder):
    """Finds the modules of private packages; every other name is left to Python."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        package, _, name = fullname.partition(".")
        sources = _OPEN.get(package)
        file = sources.by_name.get(name) if sources else None
        if sources is None or file is None:
            return None
        spec = importlib.machinery.ModuleSpec(
            fullname, _Loader(sources, name), origin=file.path, is_package=file.is_package
        )
        if file.path.endswith(".py"):
            spec.has_location = True
        return spec


class _Loader(importlib.abc.InspectLoader):
    """Runs the pinned bytes of one file."""

    def __init__(self, sources: Sources, name: str) -> None:
        self.sources = sources
        self.file = sources.by_name[name]

    def is_package(self, fullname: str) -> bool:
        """Whether the file is a package."""
        return self.file.is_package

    def get_source(self, fullname: str) -> str:
        """The text as pinned; tracebacks show it."""
        return importlib.util.decode_source(self.file.text)

    def exec_module(self, module: ModuleType) -> None:
        """Run the file with imports that look at the plug-in's own files first."""
        module.__dict__["__kvratio_sources__"] = self.sources
        module.__dict__["__builtins__"] = {**vars(builtins), "__import__": _importer(self.sources)}
        if self.file.path.endswith(".py"):
            exec(compile(self.file.text, self.file.path, "exec", dont_inherit=True), module.__dict__)


def _importer(sources: Sources) -> Any:
    """Return an ``__import__`` under which the plug-in's own files come from its private package."""
    tops = {name.partition(".")[0] for name in sources.by_name}

    def private(
        name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0
    ) -> ModuleType:  # the parameters of builtins.__import__
        top = name.partition(".")[0]
        if level or top not in tops:
            return builtins.__import__(name, globals, locals, fromlist, level)
        module = importlib.import_module(f"{sources.package}.{name}")
        for member in fromlist or ():
            if f"{name}.{member}" in sources.by_name:
                importlib.import_module(f"{sources.package}.{name}.{member}")
        return module if fromlist else sys.modules[f"{sources.package}.{top}"]

    return private


def _is_a_users(name: str) -> bool:
    """Whether a loaded module is a user's file, outside private packages, installed packages and Python itself."""
    top = name.partition(".")[0]
    file = getattr(sys.modules.get(name), "__file__", None)
    if file is None or not file.endswith(".py") or top in OUR_PACKAGES or top in _OPEN:
        return False
    return top not in sys.stdlib_module_names and "-packages" not in file and not file.startswith(sys.base_prefix)


__all__ = ["Plugin", "PluginError", "describe", "find", "installed", "objects", "place", "require"]

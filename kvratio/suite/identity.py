"""What a result depends on, as hashes: source code, data files, and the key of a cell."""

from __future__ import annotations

import hashlib
import importlib.util
from functools import cache, lru_cache
from pathlib import Path

from instances.augmented import AUGMENTED
from kvratio.problem.errors import BadParameter, UnknownName
from kvratio.problem.instance import Instance
from kvratio.problem.plugins import Plugin, PluginError
from kvratio.suite.naming import canonical
from kvratio.suite.plan import BoundSpec, PolicySpec

#: the packages whose source is named in the manifest
PACKAGES = ("kvratio.problem", "kvratio.suite", "algos", "instances", "lowerbounds", "stability")


@cache
def package_hash(package: str) -> str:
    """sha256 over the names and bytes of a package's Python files, in sorted order."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise UnknownName(f"package {package!r} is not installed")
    root = Path(next(iter(spec.submodule_search_locations)))
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def file_hash(path: Path) -> str:
    """sha256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def instance_identity(inst: Instance) -> str:
    """sha256 that names an instance in results: its key, and what an augmented policy is given beside it."""
    mode = inst.info.get("augmentation")
    if mode is None:
        return inst.key
    given = canonical({name: inst.info.get(name) for name in AUGMENTED})
    return hashlib.sha256(f"{inst.key} {given}".encode()).hexdigest()


def policy_identity(policy: PolicySpec) -> str:
    """Hash of everything that decides what a policy does: its own source, the engine's and the model's."""
    return _policy_identity(policy.handle)


@lru_cache(maxsize=1024)
def _policy_identity(handle: str | Plugin) -> str:
    from algos import registry
    from kvratio.problem.compiled import source_hash

    try:
        own = registry.card(handle).identity
    except (PluginError, BadParameter):
        if not isinstance(handle, Plugin):
            raise
        # It cannot be loaded, so its cells fail; the failure belongs to this content of its files.
        own = f"broken {handle.digest}"
    return f"{own}.{source_hash('algos.run')[:16]}"


def cell_key(
    instance: str, policy: PolicySpec, seed: int, bound: BoundSpec, objective: str, family: Plugin | None = None
) -> str:
    """Content key of a cell: equal keys mean equal results, whatever suite asks for them.

    ``instance`` is the instance's identity. The key covers the instance, the policy with its parameters, eviction
    and seed, the bound with its options, and the source of everything that computes them; of a user's family also its
    own files, since a changed witness is no other instance. Labels, file names and timings are not in it.
    """
    parts = [
        instance,
        policy.id,
        policy_identity(policy),
        canonical(policy.parameters),
        policy.eviction,
        str(seed),
        bound.identity,
        package_hash("lowerbounds"),
        objective,
        *([] if family is None else [family.digest]),
    ]
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()

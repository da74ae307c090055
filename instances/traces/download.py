"""`fetch`: get an upstream trace, resume what was begun, and trust it only after its hash was checked."""

from __future__ import annotations

import hashlib
import http.client
import os
import re
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from urllib.parse import urlsplit

from instances.traces.locate import TRACES_VARIABLE, traces_folder
from instances.traces.opening import LFS_MARK, is_lfs_pointer
from instances.traces.sources import Source, info
from kvratio.problem.errors import TraceError

Progress = Callable[[int, int | None], None]
_PIECE = 1 << 16


@dataclass(frozen=True)
class Fetched:
    """A file that is here and checked.

    Attributes
    ----------
    path : Path
        The file.
    bytes : int
        Its size.
    sha256 : str
        Its hash.
    checked : str
        Against what: "sha256", "git blob id", "size", or "nothing" where upstream publishes none.
    downloaded : int
        Bytes that came over the network in this call.
    """

    path: Path
    bytes: int
    sha256: str
    checked: str
    downloaded: int


def fetch(
    name: str | Source,
    folder: str | PathLike[str] | None = None,
    progress: Progress | None = None,
    timeout: float = 30.0,
) -> Fetched:
    """Download a registered trace into a folder.

    Bytes go to ``<file>.part``; after an interruption the next call asks the server only for the rest. The file gets
    its own name once size and hash agree with the registry, so a file of that name is always whole.

    Parameters
    ----------
    name : str or Source
        A name of `list_sources`, or a source of your own.
    folder : path, optional
        Where to put it; made if missing. Default: the folder that ``KVRATIO_TRACES`` names.
    progress : callable, optional
        ``progress(done, total)`` in bytes, called as bytes arrive; total is None where the server does not say.
    timeout : float
        Seconds to wait for the server before giving up.

    Returns
    -------
    Fetched

    Raises
    ------
    TraceError
        One line: no network, no direct URL, a broken connection (what came stays for the next call), or bytes that are
        not the registered ones (they are removed).
    UnknownName
        When no source has that name.
    """
    source = info(name) if isinstance(name, str) else name
    if not source.direct or urlsplit(source.url).scheme not in ("http", "https"):
        raise TraceError(
            f"{source.name} has no direct URL: get {source.file} by hand from {source.url} "
            f"and put it below {TRACES_VARIABLE}"
        )
    home = _folder(folder)
    target, part = home / source.file, home / (source.file + ".part")
    if target.exists():
        checked = _check(source, target)
        return Fetched(target, target.stat().st_size, file_hash(target), checked, 0)
    downloaded = _download(source, part, progress, timeout)
    try:
        checked = _check(source, part)
    except TraceError:
        _discard(part)
        raise
    digest = file_hash(part)
    os.replace(part, target)
    _tag_file(part).unlink(missing_ok=True)
    return Fetched(target, target.stat().st_size, digest, checked, downloaded)


def file_hash(path: Path) -> str:
    """Return the sha256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _folder(folder: str | PathLike[str] | None) -> Path:
    home = Path(folder).expanduser() if folder is not None else traces_folder()
    if home is None:
        raise TraceError(f"no folder to put the trace in: give one, or set {TRACES_VARIABLE}")
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        raise TraceError(f"cannot make the folder {home} ({fault.strerror or fault})") from fault
    return home


def _check(source: Source, path: Path) -> str:
    """Compare a file with the registry; return what was compared.

    A size that is known but wrong is named before the hash, since it says more about what went wrong.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        if is_lfs_pointer(file.read(len(LFS_MARK))):
            raise TraceError(
                f"{source.name}: {source.url} gave a Git LFS pointer of {size} bytes, not the data; "
                "get the file with `git lfs pull` in a clone of the upstream repository"
            )
    if source.bytes is not None and size != source.bytes:
        raise TraceError(
            f"{path.name}: {size} bytes, but {source.name} has {source.bytes}; upstream changed or the copy is bad"
        )
    for kind, wanted, found in (
        ("sha256", source.sha256, lambda: file_hash(path)),
        ("git blob id", source.git_blob_id, lambda: _git_blob_id(path)),
    ):
        if wanted:
            got = found()
            if got != wanted:
                raise TraceError(
                    f"{path.name}: {kind} is {got}, but {source.name} has {wanted}; upstream changed or the copy is bad"
                )
            return kind
    return "size" if source.bytes is not None else "nothing"


def _git_blob_id(path: Path) -> str:
    """Return the id under which git stores these bytes: sha1 of a header and the content. A check, not a secret."""
    digest = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()


def _tag_file(part: Path) -> Path:
    """The file that remembers which version of the upstream file a part belongs to."""
    return part.with_name(part.name + ".etag")


def _discard(part: Path) -> None:
    part.unlink(missing_ok=True)
    _tag_file(part).unlink(missing_ok=True)


def _download(source: Source, part: Path, progress: Progress | None, timeout: float) -> int:
    """Bring ``part`` to its full length; return the bytes that came."""
    have = part.stat().st_size if part.exists() else 0
    if have and have == source.bytes:
        return 0
    request = urllib.request.Request(source.url, headers={"User-Agent": "kvratio", "Accept-Encoding": "identity"})
    if have:
        request.add_header("Range", f"bytes={have}-")
        if _tag_file(part).exists():
            request.add_header("If-Range", _tag_file(part).read_text(encoding="ascii"))
    try:
        with urllib.request.urlopen(request, timeout=timeout) as reply:
            return _receive(source, part, have, reply, progress)
    except urllib.error.HTTPError as fault:
        if fault.code == 416 and have:
            # The part is as long as the file upstream, or longer: only a fresh start can tell.
            _discard(part)
            return _download(source, part, progress, timeout)
        raise TraceError(f"cannot fetch {source.name}: {source.url} answers {fault.code} {fault.reason}") from fault
    except urllib.error.URLError as fault:
        raise _unreachable(source, part, fault.reason) from fault
    except (OSError, http.client.HTTPException) as fault:
        raise _unreachable(source, part, fault) from fault


def _unreachable(source: Source, part: Path, reason: object) -> TraceError:
    kept = part.stat().st_size if part.exists() else 0
    told = f"; {kept} bytes are kept and the next fetch goes on from there" if kept else ""
    host = urlsplit(source.url).hostname
    text = str(reason) or type(reason).__name__
    return TraceError(f"cannot fetch {source.name} from {host} ({text}): is there a network here?{told}")


def _receive(source: Source, part: Path, have: int, reply: http.client.HTTPResponse, progress: Progress | None) -> int:
    start = have if reply.status == 206 else 0
    if reply.status == 206:
        span = re.match(r"bytes (\d+)-", reply.headers.get("Content-Range", ""))
        if span is None or int(span.group(1)) != have:
            _discard(part)
            raise TraceError(
                f"cannot resume {source.name}: the server sent another range; the part was removed, fetch again"
            )
    length = reply.headers.get("Content-Length", "")
    total = start + int(length) if length.isdigit() else source.bytes
    tag = reply.headers.get("ETag", "")
    if tag and not tag.startswith("W/"):
        _tag_file(part).write_text(tag, encoding="ascii")
    elif start == 0:
        _tag_file(part).unlink(missing_ok=True)
    done = start
    with part.open("ab" if start else "wb") as file:
        if progress:
            progress(done, total)
        while piece := reply.read(_PIECE):
            file.write(piece)
            done += len(piece)
            if progress:
                progress(done, total)
    if total is not None and done < total:
        raise TraceError(
            f"cannot fetch {source.name}: the connection ended after {done} of {total} bytes; they are kept, "
            "and the next fetch goes on from there"
        )
    return done - start

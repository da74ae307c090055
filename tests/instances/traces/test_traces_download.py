"""`fetch` against a server on this machine: whole files, interruption and resume, wrong bytes, no network."""

import hashlib
import http.server
import socket
import threading

import pytest

from instances.traces import Source, fetch, find_trace, info, list_sources, load_trace
from kvratio.problem.errors import TraceError, UnknownName

BODY = b"arrival_s,prompt_tokens,output_tokens\n" + b"".join(b"%d,5,6\n" % k for k in range(40_000))


class Upstream(http.server.BaseHTTPRequestHandler):
    """Serves BODY; can cut a reply short, ignore ranges, or change its file."""

    def do_GET(self):
        """Answer one request as the server's settings say."""
        server = self.server
        server.asked.append(self.headers.get("Range"))
        if self.path.endswith("missing.csv"):
            self.send_error(404)
            return
        body, start = server.body, 0
        span = self.headers.get("Range")
        fresh = self.headers.get("If-Range") in (None, server.etag)
        if span and server.ranges and fresh:
            start = int(span.removeprefix("bytes=").rstrip("-"))
            if start >= len(body):
                self.send_error(416)
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start + server.shift}-{len(body) - 1}/{len(body)}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(body) - start))
        self.send_header("ETag", server.etag)
        self.end_headers()
        stop = len(body) if server.cut is None else min(len(body), start + server.cut)
        self.wfile.write(body[start:stop])

    def log_message(self, format, *args):
        """Say nothing."""


@pytest.fixture
def upstream():
    """A local server with settings body, etag, cut (bytes per reply), ranges and shift, and the ranges it was asked."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    server.body, server.etag, server.cut, server.ranges, server.shift, server.asked = BODY, '"1"', None, True, 0, []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def source(server, **changes):
    """Return a source on the local server, with the facts of BODY unless changed."""
    facts = {
        "name": "here",
        "file": "here.csv",
        "url": f"http://127.0.0.1:{server.server_address[1]}/data/here.csv",
        "format": "kvratio",
        "licence": "CC0",
        "bytes": len(BODY),
        "sha256": hashlib.sha256(BODY).hexdigest(),
        "git_blob_id": "",
        "rows": "40000",
        "basis": "test",
    }
    return Source(**{**facts, **changes})


def test_fetch_checks_reports_and_loads(upstream, tmp_path):
    """A whole file arrives with progress, is checked, loads, and is not asked for again."""
    seen = []
    got = fetch(source(upstream), tmp_path / "new", progress=lambda done, total: seen.append((done, total)))
    assert got.path.read_bytes() == BODY
    assert (got.bytes, got.checked, got.downloaded) == (len(BODY), "sha256", len(BODY))
    assert seen[0] == (0, len(BODY))
    assert seen[-1] == (len(BODY), len(BODY))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["here.csv"]
    assert load_trace(got.path, memory=100).n == 40_000
    assert fetch(source(upstream), tmp_path / "new").downloaded == 0
    assert len(upstream.asked) == 1


def test_interrupted_fetch_resumes(upstream, tmp_path):
    """A cut connection keeps what came; the next call asks for the rest only and the bytes agree."""
    upstream.cut = 100_000
    with pytest.raises(TraceError, match=rf"ended after 100000 of {len(BODY)} bytes; they are kept"):
        fetch(source(upstream), tmp_path)
    assert not (tmp_path / "here.csv").exists()
    upstream.cut = None
    got = fetch(source(upstream), tmp_path)
    assert upstream.asked == [None, "bytes=100000-"]
    assert got.downloaded == len(BODY) - 100_000
    assert got.path.read_bytes() == BODY


def test_changed_upstream_is_not_joined_to_an_old_part(upstream, tmp_path):
    """When the file upstream changed between two calls, the old part is not continued."""
    upstream.cut = 100_000
    upstream.body, upstream.etag = b"x" * len(BODY), '"0"'
    plain = source(upstream, sha256="", bytes=None)
    with pytest.raises(TraceError, match="they are kept"):
        fetch(plain, tmp_path)
    upstream.cut, upstream.body, upstream.etag = None, BODY, '"1"'
    got = fetch(plain, tmp_path)
    assert got.path.read_bytes() == BODY
    assert got.checked == "nothing"


def test_server_without_ranges_starts_over(upstream, tmp_path):
    """A server that ignores ranges sends all of it again, and the part is replaced, not appended to."""
    (tmp_path / "here.csv.part").write_bytes(BODY[:5000])
    upstream.ranges = False
    assert fetch(source(upstream), tmp_path).path.read_bytes() == BODY


def test_wrong_range_is_refused(upstream, tmp_path):
    """A server that sends another range than asked for is not trusted."""
    (tmp_path / "here.csv.part").write_bytes(BODY[:5000])
    upstream.shift = 7
    with pytest.raises(TraceError, match="another range"):
        fetch(source(upstream), tmp_path)
    assert not (tmp_path / "here.csv.part").exists()


def test_part_that_is_too_long_starts_over(upstream, tmp_path):
    """A part longer than the file upstream is thrown away and fetched afresh."""
    (tmp_path / "here.csv.part").write_bytes(b"?" * (len(BODY) + 5))
    assert fetch(source(upstream), tmp_path).path.read_bytes() == BODY


def test_complete_part_needs_no_network(upstream, tmp_path):
    """A part of the full length is only checked and renamed."""
    (tmp_path / "here.csv.part").write_bytes(BODY)
    assert fetch(source(upstream), tmp_path).downloaded == 0
    assert upstream.asked == []


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"sha256": "0" * 64}, "sha256 is"),
        ({"bytes": 17, "sha256": ""}, f"{len(BODY)} bytes, but here has 17"),
        ({"sha256": "", "git_blob_id": "0" * 40}, "git blob id is"),
    ],
)
def test_wrong_bytes_are_removed(upstream, tmp_path, changes, text):
    """Bytes that are not the registered ones are named and removed, so they cannot be loaded by mistake."""
    with pytest.raises(TraceError, match=text):
        fetch(source(upstream, **changes), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_git_blob_id_is_checked_where_no_sha256_is_known(upstream, tmp_path):
    """The id under which git stores the bytes is a check too."""
    blob = hashlib.sha1(b"blob %d\0" % len(BODY) + BODY, usedforsecurity=False).hexdigest()
    assert fetch(source(upstream, sha256="", bytes=None, git_blob_id=blob), tmp_path).checked == "git blob id"


def test_damaged_local_file_is_named_not_replaced(upstream, tmp_path):
    """A file that is already there but is not the registered one is reported and left for the user to judge."""
    (tmp_path / "here.csv").write_bytes(b"mine")
    with pytest.raises(TraceError, match=r"here\.csv: 4 bytes, but here has"):
        fetch(source(upstream), tmp_path)
    assert (tmp_path / "here.csv").read_bytes() == b"mine"


def test_lfs_pointer_from_the_server(upstream, tmp_path):
    """A Git LFS pointer in place of the data is called that."""
    upstream.body = b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 5\n"
    with pytest.raises(TraceError, match="Git LFS pointer"):
        fetch(source(upstream), tmp_path)


def test_missing_upstream_and_no_network(upstream, tmp_path):
    """A 404 and an unreachable server are one plain line each."""
    port = upstream.server_address[1]
    with pytest.raises(TraceError, match="answers 404"):
        fetch(source(upstream, file="missing.csv", url=f"http://127.0.0.1:{port}/missing.csv"), tmp_path)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        closed = free.getsockname()[1]
    with pytest.raises(TraceError, match="is there a network here") as fault:
        fetch(source(upstream, url=f"http://127.0.0.1:{closed}/here.csv"), tmp_path)
    assert "\n" not in str(fault.value)


def test_bad_use(monkeypatch, tmp_path, upstream):
    """Unknown names, pages instead of files, other schemes and a missing folder are named."""
    monkeypatch.delenv("KVRATIO_TRACES", raising=False)
    with pytest.raises(UnknownName, match="did you mean azure_2023_conv"):
        fetch("azure_2023_con", tmp_path)
    with pytest.raises(TraceError, match=r"no direct URL: get qwen_traceA_blksz_16\.jsonl by hand"):
        fetch("qwen_traceA", tmp_path)
    with pytest.raises(TraceError, match="no direct URL"):
        fetch(source(upstream, url="file:///etc/here.csv"), tmp_path)
    with pytest.raises(TraceError, match="no folder to put the trace in"):
        fetch(source(upstream))


def test_default_folder_is_the_traces_folder(monkeypatch, tmp_path, upstream):
    """Without a folder the trace goes where names are looked up, and is found there by its file name."""
    monkeypatch.setenv("KVRATIO_TRACES", str(tmp_path))
    assert fetch(source(upstream)).path == find_trace("here")


def test_registry():
    """The registry has unique names, known facts parse, and every entry says how its facts are known."""
    sources = list_sources()
    assert len({entry.name for entry in sources}) == len(sources) == 23
    for entry in sources:
        assert entry.basis
        assert entry.licence
        assert entry.url.startswith("https://")
        assert entry.sha256 == "" or len(entry.sha256) == 64
    conv = info("azure_2023_conv")
    assert (conv.bytes, conv.rows, conv.direct, conv.loadable) == (719_188, "19366", True, True)
    assert not info("vtc_arena").loadable
    assert not info("servegen").direct

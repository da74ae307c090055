"""Are the files those that the run wrote, and the sources those that wrote them?"""

from __future__ import annotations

from typing import Any

from kvratio.problem.errors import KvratioError
from kvratio.suite.identity import PACKAGES, file_hash, package_hash
from kvratio.suite.seal import added, broken_seal, sealed_files
from kvratio.suite.store import RunFolder
from kvratio.suite.verification.report import Check


def check_files(folder: RunFolder) -> Check:
    """Compare every byte of the folder with its seal."""
    check = Check("files")
    faults = broken_seal(folder.path)
    check.passed(max(sum(1 for _ in sealed_files(folder.path)) - len(faults), 0))
    for fault in faults:
        check.failed(fault)
    later = added(folder.path) if not any("seal" in fault for fault in faults) else []
    if later:
        check.notes.append(f"{len(later)} files were added after the run, such as {later[0]}: not checked")
    return check


def check_sources(manifest: dict[str, Any]) -> Check:
    """Compare the hashes of the sources in the manifest with the sources installed here."""
    check = Check("sources")
    recorded = manifest.get("sources_sha256", {})
    for package in PACKAGES:
        same = recorded.get(package) == package_hash(package)
        check.judge(same, f"{package} is not the source that made this run")
    return check


def check_data(manifest: dict[str, Any]) -> Check:
    """Compare the hashes of trace files with the files found here."""
    from instances.traces.locate import find_trace

    check = Check("traces")
    for name, digest in manifest.get("data_sha256", {}).items():
        try:
            path = find_trace(name)
        except KvratioError:
            check.notes.append(f"{name} is not on this machine: not checked")
            continue
        if path.is_file():
            check.judge(file_hash(path) == digest, f"{name} is not the file that the run read")
    return check

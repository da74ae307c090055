"""The device a replay runs on: which one, how much is free, and what it is, for the results file."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from pathlib import Path
from typing import Any

from gpu_validate import libraries
from gpu_validate.faults import NoDevice
from kvratio.problem.errors import BadParameter


def open_device(name: str | None = None) -> Any:
    """Return a torch device: the one named, else cuda where there is one, else cpu.

    Raises
    ------
    BadParameter
        A name torch does not know.
    NoDevice
        A device that is not there.
    """
    torch = libraries.torch()
    if name is None:
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as fault:
        raise BadParameter(f"device is {name!r}: give cpu, cuda or cuda:1") from fault
    if device.type not in ("cpu", "cuda"):
        raise BadParameter(f"device is {name!r}: a replay runs on cpu or cuda")
    if device.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if (device.index or 0) >= count:
            raise NoDevice(f"device {name} is not there ({count} CUDA devices): take --device cpu, or another machine")
        device = torch.device("cuda", device.index or 0)
        torch.cuda.set_device(device)
    return device


def default_dtype(device: Any) -> str:
    """bfloat16 on CUDA, float32 on the CPU."""
    return "bfloat16" if device.type == "cuda" else "float32"


def free_bytes(device: Any) -> int:
    """Bytes that a program may still take on the device."""
    torch = libraries.torch()
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    info = Path("/proc/meminfo")
    if info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def describe(device: Any) -> dict[str, Any]:
    """Device, driver, library versions and clocks, as plain data."""
    torch, transformers = libraries.torch(), libraries.transformers()
    facts: dict[str, Any] = {
        "device": str(device),
        "name": _processor(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "cuda": torch.version.cuda,
        "system": platform.system(),
    }
    if device.type == "cuda":
        of = torch.cuda.get_device_properties(device)
        facts |= {"name": of.name, "memory_bytes": of.total_memory, "multiprocessors": of.multi_processor_count}
        facts |= _driver(device.index or 0)
    return facts


def _driver(index: int) -> dict[str, str]:
    """What the driver's own tool says: version, clocks, power limit."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return {"driver": "unknown: nvidia-smi is not there"}
    asked = ("driver_version", "clocks.sm", "clocks.mem", "clocks.max.sm", "clocks.max.mem", "power.limit")
    call = [tool, f"--id={index}", f"--query-gpu={','.join(asked)}", "--format=csv,noheader"]
    try:
        answer = subprocess.run(call, capture_output=True, text=True, timeout=20, check=True).stdout
    except (subprocess.SubprocessError, OSError) as fault:
        return {"driver": f"unknown: nvidia-smi failed ({type(fault).__name__})"}
    return dict(zip(asked, (part.strip() for part in answer.split(",")), strict=False))


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()

"""What the target interpreter and its GPU are."""

from __future__ import annotations

import importlib.util
import platform
import shutil
import subprocess  # noqa: TID251 - standalone: kmaint.child is not there
from typing import Any

from .turns import Turns, place_of

NEEDED = ("torch", "triton", "pytest", "hypothesis")
COPY_BYTES = 1 << 30
COPIES = 8


def prepare(shared: dict[str, Any]) -> dict[str, Any]:
    return shared


def handle(_state: dict[str, Any], _item: object) -> dict[str, Any]:
    """Which packages are missing; where none is, the fields of a records.Environment."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        return {"missing": missing}
    import torch
    import triton

    found: dict[str, Any] = {
        "missing": [],
        "python": platform.python_version(),
        "torch": torch.__version__,
        "triton": triton.__version__,
        "cuda": torch.version.cuda,
        "platform": platform.platform(),
    }
    return {**found, **(_device() if torch.cuda.is_available() else _no_device())}


def _no_device() -> dict[str, Any]:
    absent = ("device", "device_uuid", "driver", "multiprocessors", "l2_bytes", "memory_bandwidth_gbps")
    return {"arch": "sm_90", "clocks_mhz": [], **dict.fromkeys(absent)}


def _device() -> dict[str, Any]:
    import torch

    facts = torch.cuda.get_device_properties(0)
    uuid = str(getattr(facts, "uuid", "")) or None
    start = query("clocks.sm", uuid)
    with Turns(place_of(uuid or "all")).alone():
        bandwidth = _bandwidth_gbps()
    clocks = [int(value) for value in (start, query("clocks.sm", uuid)) if value.isdigit()]
    return {
        "device": facts.name,
        "device_uuid": uuid,
        "arch": f"sm_{facts.major}{facts.minor}",
        "driver": query("driver_version", uuid) or None,
        "multiprocessors": facts.multi_processor_count,
        "l2_bytes": getattr(facts, "L2_cache_size", None),
        "memory_bandwidth_gbps": bandwidth,
        "clocks_mhz": clocks,
    }


def query(field: str, uuid: str | None) -> str:
    """One field of nvidia-smi for the device; empty where it is not there or does not say."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return ""
    which = [f"--id=GPU-{uuid.removeprefix('GPU-')}"] if uuid else ["--id=0"]
    argv = [program, *which, f"--query-gpu={field}", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=10, check=False)  # noqa: S603 - a fixed list
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _bandwidth_gbps() -> float:
    """Read plus written bytes of the best of a few large device-to-device copies."""
    import torch

    source = torch.empty(COPY_BYTES, dtype=torch.uint8, device="cuda").zero_()
    target = torch.empty_like(source)
    best_ms = float("inf")
    for _ in range(COPIES):
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        target.copy_(source)
        end.record()
        torch.cuda.synchronize()
        best_ms = min(best_ms, start.elapsed_time(end))
    return 2 * COPY_BYTES / best_ms / 1e6

"""What an interpreter has, as one JSON object on standard output; the standard library, and torch where it is there.

    python asked.py NVCC.PY PACKAGE...

Runs in the target's interpreter. NVCC.PY is the file that knows where nvcc is found.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import json
import platform
import sys
from typing import Any


def main() -> None:
    finder, *packages = sys.argv[1:]
    found: dict[str, Any] = {
        "python": platform.python_version(),
        "packages": {name: version for name in packages if (version := _version(name))},
        "gpus": [],
        "cupti": "",
        "nvcc": "",
        "fault": "",
    }
    if "torch" in found["packages"]:
        try:
            found |= _of_torch(finder)
        except (ImportError, OSError, RuntimeError) as error:  # a torch that is broken, or of another CUDA
            found["fault"] = f"{type(error).__name__}: {error}".splitlines()[0]
    print(json.dumps(found))  # noqa: T201 - its answer


def _version(name: str) -> str:
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        return importlib.metadata.version(name)
    return ""


def _of_torch(finder: str) -> dict[str, Any]:
    import torch

    there = range(torch.cuda.device_count()) if torch.cuda.is_available() else range(0)
    devices = [torch.cuda.get_device_properties(index) for index in there]
    return {
        "gpus": [{"name": one.name, "arch": f"sm_{one.major}{one.minor}"} for one in devices],
        "cupti": _cupti() if devices else "",
        "nvcc": _nvcc(finder),
    }


def _cupti() -> str:
    """Why no record of a kernel comes from the device; empty where one does."""
    import torch
    from torch.autograd import DeviceType
    from torch.profiler import ProfilerActivity, profile

    try:
        with profile(activities=[ProfilerActivity.CUDA]) as profiler:
            torch.zeros(1, device="cuda").add_(1)
            torch.cuda.synchronize()
    except RuntimeError as error:
        return str(error).splitlines()[0]
    seen = any(event.device_type == DeviceType.CUDA for event in profiler.events() or ())
    return "" if seen else "the profiler starts, and sees no kernel"


def _nvcc(finder: str) -> str:
    spec = importlib.util.spec_from_file_location("nvcc", finder)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look for it there
    spec.loader.exec_module(module)
    with contextlib.suppress(module.BuildError):
        return str(module.find_nvcc())
    return ""


if __name__ == "__main__":
    main()

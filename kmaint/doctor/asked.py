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
import subprocess  # noqa: TID251 - standalone: kmaint.child is not there
import sys
from typing import Any

HEADERS = ("cuda_runtime.h", "cublas_v2.h", "cusparse.h", "cusolverDn.h")
"""Of CUDA, which torch's own headers include: a harness whose operator takes torch's tensors is built with them."""
ASKING_S = 20.0


def main() -> None:
    finder, *packages = sys.argv[1:]
    found: dict[str, Any] = {
        "python": platform.python_version(),
        "packages": {name: version for name in packages if (version := _version(name))},
        "gpus": [],
        "cupti": "",
        "nvcc": "",
        "no_headers": [],
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
        **_nvcc(finder),
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


def _nvcc(finder: str) -> dict[str, Any]:
    """Where it is, and which headers it does not find; neither where there is none."""
    spec = importlib.util.spec_from_file_location("nvcc", finder)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look for it there
    spec.loader.exec_module(module)
    try:
        nvcc = str(module.find_nvcc())
    except module.BuildError:
        return {}
    folders = [word for one in module.package_folders() for word in ("-I", str(one / "include"))]
    return {"nvcc": nvcc, "no_headers": _not_found([nvcc, *folders])}


def _not_found(compiler: list[str]) -> list[str]:
    """By its own preprocessor; none where that says nothing."""
    source = "".join(f"#if !__has_include(<{one}>)\nmissing {one}\n#endif\n" for one in HEADERS)
    words = [*compiler, "-E", "-x", "cu", "-"]
    try:
        done = subprocess.run(words, input=source, capture_output=True, text=True, timeout=ASKING_S, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return []
    return [line.split()[1] for line in done.stdout.splitlines() if line.startswith("missing ")]


if __name__ == "__main__":
    main()

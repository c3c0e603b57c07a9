"""How a harness's code launches its kernels, workload by workload: nothing is computed.

Run with the target's interpreter: `launches_worker.py HARNESS ENTRY FILE...`. Each file is loaded with its kernels
replaced by recorders and called on tensors without memory; prints one JSON list, by file and workload.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ["TRITON_INTERPRET"] = "1"  # a kernel of the interpreter needs no driver to be defined


class Recorder:
    """Stands where a kernel stood; notes each launch with its arguments by the kernel's own names."""

    def __init__(self, name: str, kernel: Any, seen: list[dict[str, Any]]) -> None:
        self.name, self.names, self.seen = name, list(kernel.arg_names), seen

    def __getitem__(self, grid: Any) -> Any:
        return functools.partial(self.launch, grid)

    def launch(self, grid: Any, *arguments: Any, **options: Any) -> None:
        bound = {**dict(zip(self.names, arguments, strict=False)), **options}
        sizes = grid(bound) if callable(grid) else grid
        told = {name: _told(value) for name, value in bound.items()}
        self.seen.append({"kernel": self.name, "arguments": told, "grid": [int(size) for size in sizes]})


def _told(value: Any) -> Any:
    import torch

    if isinstance(value, torch.Tensor):
        dtype = str(value.dtype).removeprefix("torch.")
        return {"shape": list(value.shape), "stride": list(value.stride()), "dtype": dtype}
    return value if isinstance(value, bool | int | float | str) or value is None else str(value)


def _load(path: Path, number: int, seen: list[dict[str, Any]]) -> Any:
    spec = importlib.util.spec_from_file_location(f"recorded_{number}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    for name, value in vars(module).copy().items():
        if hasattr(value, "arg_names") and hasattr(value, "fn"):
            setattr(module, name, Recorder(name, value, seen))
    return module


def main(folder: Path, entry: str, files: list[Path]) -> None:
    sys.path.insert(0, str(folder))
    from runtime.building import shaped  # type: ignore[import-not-found]
    from runtime.cases import Contract  # type: ignore[import-not-found]

    contract = Contract.read(folder)
    found: list[dict[str, Any]] = []
    for number, path in enumerate(files):
        seen: list[dict[str, Any]] = []
        launcher, launches = getattr(_load(path, number, seen), entry), {}
        for workload in contract.workloads:
            seen.clear()
            launcher(**shaped(contract, workload["axes"]))
            launches[workload["name"]] = list(seen)
        found.append(launches)
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], [Path(name) for name in sys.argv[3:]])

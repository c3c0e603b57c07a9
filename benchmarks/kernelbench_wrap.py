"""A harness and its candidates as KernelBench's evaluator takes them, and the evaluator's own call in a process.

    python benchmarks/kernelbench_wrap.py KERNELBENCH REQUEST.json

The request names two sources and how to call `eval_kernel_against_ref`; the answer is one JSON line. The evaluator is
taken as it stands in the checkout; of its utils, which import model clients, only the function that it calls is loaded.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import json
import math
import sys
import types
from pathlib import Path
from typing import Any

from kmaint.records.harness import Harness
from kmaint.records.workload import Workload

REFERENCE = '''
import importlib.util
import sys
from pathlib import Path

import torch
import torch.nn as nn

HARNESS = Path({folder!r})
sys.path.insert(0, str(HARNESS))
from runtime.building import build
from runtime.cases import Case, Contract

CONTRACT = Contract.read(HARNESS)
spec = importlib.util.spec_from_file_location("kmaint_original", HARNESS / "kernel.py")
original = importlib.util.module_from_spec(spec)
sys.modules["kmaint_original"] = original
spec.loader.exec_module(original)


def packed(result):
    """All that is returned as one tensor, since the evaluator compares one."""
    results = result if isinstance(result, (tuple, list)) else [result]
    return torch.cat([one.flatten().float() for one in results if isinstance(one, torch.Tensor)])


class Model(nn.Module):
    def forward(self, call):
        return packed(original.{entry}(**call.arguments))


def get_init_inputs():
    return []


def get_inputs():
    """One call's arguments, built as the gate builds them; the evaluator's seed decides the values."""
    seed = int(torch.randint(0, 2**31 - 1, (1,)))
    return [build(CONTRACT, Case(seed=seed, **{axes!r}), {device!r})]
'''
CANDIDATE = """

import torch as _kb_torch


class ModelNew(_kb_torch.nn.Module):
    def forward(self, call):
        result = {entry}(**call.arguments)
        results = result if isinstance(result, (tuple, list)) else [result]
        return _kb_torch.cat([one.flatten().float() for one in results if isinstance(one, _kb_torch.Tensor)])
"""
PRECISIONS = {"bfloat16": "bf16", "float16": "fp16"}


def reference(harness: Harness, workload: Workload, device: str = "cuda") -> str:
    """The harness's own kernel as `Model`, on the workload's shapes."""
    return REFERENCE.format(
        folder=str(harness.folder.resolve()), entry=harness.entry, axes=dict(workload.axes), device=device
    )


def candidate(harness: Harness, source: str) -> str:
    """A candidate's whole file, with `ModelNew` behind it."""
    return source + CANDIDATE.format(entry=harness.entry)


def precision(workload: Workload) -> str:
    """The evaluator's name of the workload's 16-bit type, where it has one: its tolerance goes by that."""
    named = [PRECISIONS[str(value)] for value in workload.axes.values() if str(value) in PRECISIONS]
    return named[0] if named else "fp32"


def largest(harness: Harness) -> Workload:
    """The largest of the workloads of most weight: the evaluator knows one shape a problem."""

    def size(workload: Workload) -> int:
        return math.prod(value for value in workload.axes.values() if isinstance(value, int) and value > 0)

    return max(harness.contract.timed, key=lambda workload: (workload.weight, size(workload)))


def evaluator(kernelbench: Path) -> Any:
    """kernelbench.eval of the checkout."""
    sys.path.insert(0, str(kernelbench / "src"))
    for name in ("requests", "dotenv", "tqdm"):
        with contextlib.suppress(ImportError):
            __import__(name)
        sys.modules.setdefault(name, types.ModuleType(name))
    utils = types.ModuleType("kernelbench.utils")
    tree = ast.parse((kernelbench / "src" / "kernelbench" / "utils.py").read_text())
    wanted = ("NVIDIA_ARCHS", "AMD_ARCHS", "get_gpu_vendor")
    kept = [node for node in tree.body if _name(node) in wanted]
    exec("import torch", vars(utils))
    exec(compile(ast.Module(kept, []), "utils.py", "exec"), vars(utils))
    sys.modules["kernelbench.utils"] = utils
    return importlib.import_module("kernelbench.eval")


def _name(node: ast.stmt) -> str:
    if isinstance(node, ast.FunctionDef):
        return node.name
    target = node.targets[0] if isinstance(node, ast.Assign) else None
    return target.id if isinstance(target, ast.Name) else ""


def main() -> None:
    request = json.loads(Path(sys.argv[2]).read_text())
    module = evaluator(Path(sys.argv[1]))
    import torch

    found = module.eval_kernel_against_ref(
        request["reference"],
        request["candidate"],
        num_correct_trials=5,
        num_perf_trials=100,
        measure_performance=True,
        device=torch.device("cuda:0"),
        backend="triton",
        precision=module.get_torch_dtype_from_string(request["precision"]),
    )
    answer = (
        {"compiled": False, "correct": False}
        if found is None
        else {
            "compiled": found.compiled,
            "correct": found.correctness,
            "runtime": found.runtime,
            "reference_runtime": found.ref_runtime,
            "excessive": bool(found.metadata.get("excessive_speedup")),
            "said": str({name: str(value)[:200] for name, value in found.metadata.items()}),
        }
    )
    print("\nANSWER " + json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()

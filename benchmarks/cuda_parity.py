"""Holds CUDA harnesses against the operators they were cut from: the same bytes, and device time within 3 %.

    cuda_parity.py prepare --sglang TREE --vllm TREE -o DIR    here: cuts the harnesses, packs SGLang's own files beside
    cuda_parity.py build DIR                                   anywhere: nvcc for the device, or sm_90 without one
    cuda_parity.py run DIR --vllm SITE -o RESULT.json          on a GPU, SITE holding vLLM's own compiled libraries

`build` on a machine without a GPU calls every operator with CPU tensors: all is compiled that a call asks for, and what
would launch says that it cannot. `run` builds first, in parallel; each sample in RESULT.json is microseconds per call.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import importlib
import importlib.util
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from benchmarks import cuda_parity_cases as cases

ROUNDS = 30
CALLS = 20
"""Calls in one CUDA graph; a round replays it once for each leg, in alternating order."""

LIMIT = 0.03
TOOLKIT = Path("/usr/local/cuda")
SHIPPED_FILES = (
    "sglang/kernels/**/*.py",
    "sglang/kernels/jit/csrc/**/*",
    "sglang/kernels/jit/include/**/*",
    "sglang/srt/environ.py",
    "sglang/srt/utils/common.py",
    "sglang/srt/utils/custom_op.py",
    "sglang/srt/debug_utils/*.py",
    "sglang/kernel_api_logging.py",
    "sglang/utils.py",
    "sglang/version.py",
    "sglang/_version.py",
)


def prepare(options: argparse.Namespace) -> None:
    """Cut every harness of the cases, uncompiled, and copy what SGLang's own loader reads."""
    import testgen
    from extract.cuda import extract_op, read_ops
    from extract.tree import locate, open_tree

    for framework, tree in (("sglang", options.sglang), ("vllm", options.vllm)):
        known = {op.name: op for op in read_ops(locate(tree))}
        for name in cases.CASES[framework]:
            into = options.output / "harnesses" / name / framework
            ended = extract_op(locate(tree), open_tree(tree), known[name], into, testgen.write_suite)
            print(framework, name, ended.state, ended.reason)
    for pattern in SHIPPED_FILES:
        for path in filter(Path.is_file, options.sglang.glob(pattern)):
            target = options.output / "shipped" / path.relative_to(options.sglang)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)


def harness_of(folder: Path, framework: str, name: str) -> Path:
    return next((folder / "harnesses" / name / framework).iterdir())


def entry(folder: Path, framework: str, name: str) -> Callable[..., Any]:
    """The harness's function; its modules are forgotten again, so that another harness can be loaded beside it."""
    harness = harness_of(folder, framework, name)
    sys.path.insert(0, str(harness))
    for module in [one for one in sys.modules if one.partition(".")[0] in ("kernel", "shims", "runtime")]:
        del sys.modules[module]
    found: Callable[..., Any] = getattr(importlib.import_module("kernel"), name)
    if framework == "sglang":  # imported by the stand-in of load_jit only when it is called
        importlib.import_module("runtime.jit")
    sys.path.remove(str(harness))
    return found


def shipped(folder: Path, framework: str, name: str, vllm: Path | None) -> Callable[..., Any]:
    """The framework's own operator: vLLM's compiled library, SGLang's module built by its own loader."""
    import torch

    if framework == "vllm":
        assert vllm is not None
        for library in sorted((vllm / "vllm").glob("*stable_libtorch*.so")):
            torch.ops.load_library(library)
        found: Callable[..., Any] = getattr(getattr(torch.ops, cases.NAMESPACES.get(name, "_C")), name)
        return found
    import_sglang_partly(folder / "shipped")
    own: Callable[..., Any] = getattr(importlib.import_module(f"sglang.kernels.ops.{cases.MODULES[name]}"), name)
    return own


def import_sglang_partly(root: Path) -> None:
    """Packages without their `__init__`, which would import a whole engine and forty packages with it.

    Of two large modules only the functions that operators ask for are there, in SGLang's own words.
    """
    import ast
    import types

    import torch

    if "sglang" in sys.modules:
        return
    for name in ("sglang", "sglang.srt", "sglang.srt.utils", "sglang.srt.debug_utils"):
        package = types.ModuleType(name)
        package.__path__ = [str(root / name.replace(".", "/"))]
        sys.modules[name] = package
    from sglang.srt.environ import envs

    platform = dict.fromkeys(("is_npu", "is_xpu", "is_musa", "is_hip"), lambda: False)
    typing = {"Callable": Callable, "List": list, "Optional": "Optional", "Library": torch.library.Library}
    scopes: dict[str, dict[str, object]] = {
        "sglang.utils": {"envs": envs},
        "sglang.srt.utils.common": {
            "torch": torch,
            "sglang_lib": torch.library.Library("sglang", "FRAGMENT"),
            **platform,
            **typing,
        },
    }
    for name, wanted in (("sglang.utils", "is_in_ci"), ("sglang.srt.utils.common", "direct_register_custom_op")):
        parsed = ast.parse((root / f"{name.replace('.', '/')}.py").read_text())
        body = [node for node in parsed.body if isinstance(node, ast.FunctionDef) and node.name == wanted]
        future = ast.ImportFrom("__future__", [ast.alias("annotations")], 0)
        module = types.ModuleType(name)
        vars(module).update(scopes[name])
        exec(compile(ast.fix_missing_locations(ast.Module([future, *body], [])), name, "exec"), vars(module))
        sys.modules[name] = module


def tensors(value: Any) -> Iterator[Any]:
    """The tensors in a call's arguments or result, in order."""
    import torch

    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from tensors(one)
    elif isinstance(value, dict):
        yield from tensors(list(value.values()))


def outcome(function: Callable[..., Any], call: cases.Call) -> list[bytes]:
    """Every byte of every argument and result after one call on fresh copies."""
    import torch

    mine = call.copy()
    returned = function(*mine.arguments, **mine.options)
    torch.cuda.synchronize()
    return [
        one.contiguous().view(torch.uint8).cpu().numpy().tobytes()
        for one in tensors([mine.arguments, mine.options, returned])
    ]


def samples(legs: list[Callable[..., Any]], call: cases.Call) -> list[list[float]]:
    """Microseconds per call of each leg, by CUDA-graph replay, interleaved."""
    import torch

    graphs = []
    for function in legs:
        mine = call.copy()
        side = torch.cuda.Stream()
        with torch.cuda.stream(side):
            for _ in range(3):
                function(*mine.arguments, **mine.options)
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            for _ in range(CALLS):
                function(*mine.arguments, **mine.options)
        graphs.append((graph, mine))
    found: list[list[float]] = [[] for _ in legs]
    for turn in range(ROUNDS + 3):
        for leg in range(len(legs)) if turn % 2 else reversed(range(len(legs))):
            start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            start.record()
            graphs[leg][0].replay()
            end.record()
            end.synchronize()
            if turn >= 3:
                found[leg].append(start.elapsed_time(end) * 1000 / CALLS)
    return found


def measure(folder: Path, framework: str, name: str, vllm: Path | None) -> dict[str, object]:
    """One operator on all its workloads."""
    legs = [shipped(folder, framework, name, vllm), entry(folder, framework, name)]
    workloads = []
    for label, call in cases.calls(framework, name, "cuda"):
        theirs, ours = (outcome(leg, call) for leg in legs)
        times = samples(legs, call)
        ratio = statistics.median(b / a for a, b in zip(*times, strict=True))
        workloads.append(
            {
                "workload": label,
                "bit_identical": theirs == ours,
                "bytes_compared": sum(map(len, theirs)),
                "harness_over_shipped": ratio,
                "within_limit": ratio <= 1 + LIMIT,
                "shipped_us": times[0],
                "harness_us": times[1],
            }
        )
    return {"framework": framework, "op": name, "workloads": workloads}


def build_one(folder: Path, framework: str, name: str, vllm: Path | None) -> None:
    """Call once, so that all that a call compiles is in the caches; without a GPU the launch itself is refused."""
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    if framework == "vllm":
        sys.path.insert(0, str(harness_of(folder, framework, name)))
        kernel = importlib.import_module("kernel")
        wanted = importlib.import_module("runtime.torch_library").wanted(kernel.FLAGS, kernel.FOLDERS)
        importlib.import_module("runtime.nvcc").build(wanted)
        return
    functions = [entry(folder, framework, name)]
    if device == "cuda":
        functions.append(shipped(folder, framework, name, vllm))
    for function in functions:
        for _, call in cases.calls(framework, name, device):
            try:
                function(*call.arguments, **call.options)
            except RuntimeError as error:
                if "not loaded: no CUDA device" not in str(error):
                    raise


def every_op(folder: Path) -> Iterator[tuple[str, str]]:
    for framework, known in cases.CASES.items():
        for name in known:
            if (folder / "harnesses" / name / framework).is_dir():
                yield framework, name


def build(folder: Path, vllm: Path | None, jobs: int) -> dict[str, str]:
    """Build all in processes of their own; what failed, by operator, with its last line."""
    environment = {**os.environ, **({"PARITY_VLLM": str(vllm)} if vllm else {})}

    def one(which: tuple[str, str]) -> tuple[str, str]:
        command = [sys.executable, __file__, "build-one", str(folder), *which]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=1500, check=False)
        said = [line for line in done.stderr.splitlines() if "rror" in line] or ["no word"]
        print("built" if done.returncode == 0 else f"FAILED {said[0][:300]}", *which, file=sys.stderr, flush=True)
        return "/".join(which), said[0] if done.returncode else ""

    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        return {name: reason for name, reason in pool.map(one, every_op(folder)) if reason}


def run(options: argparse.Namespace) -> int:
    """Build, then measure every operator in turn; a process that dies loses one operator, not the run."""
    started = time.monotonic()
    failed = build(options.folder, options.vllm, options.jobs)
    built_s = time.monotonic() - started
    waiting = [which for which in every_op(options.folder) if "/".join(which) not in failed]
    results: list[dict[str, object]] = []
    while waiting:
        names = ["/".join(which) for which in waiting]
        command = [sys.executable, __file__, "measure", str(options.folder), *names, "--vllm", str(options.vllm)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        results += lines
        waiting = waiting[len(lines) :]
        if waiting and done.returncode:
            failed["/".join(waiting.pop(0))] = f"the process ended with {done.returncode}"
    options.output.write_text(json.dumps(summary(results, failed, built_s), indent=1))
    return 0


def summary(results: list[dict[str, Any]], failed: dict[str, str], built_s: float) -> dict[str, object]:
    import torch

    failed |= {f"{one['framework']}/{one['op']}": one["error"] for one in results if "error" in one}
    good = [one for one in results if "error" not in one]
    identical = [one for one in good if all(w["bit_identical"] for w in one["workloads"])]
    fast = [one for one in identical if all(w["within_limit"] for w in one["workloads"])]
    print(f"{len(good)} measured, {len(identical)} bit-identical, {len(fast)} of these within 3 %; failed: {failed}")
    return {
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "torch": torch.__version__,
        "build_s": built_s,
        "measured": len(good),
        "bit_identical": len(identical),
        "bit_identical_and_within_limit": len(fast),
        "failed": failed,
        "operators": good,
    }


def measure_all(options: argparse.Namespace) -> int:
    for which in options.names:
        framework, _, name = which.partition("/")
        try:
            line = measure(options.folder, framework, name, options.vllm)
        except Exception as error:  # noqa: BLE001 - one operator that raises is a line of the result
            line = {"framework": framework, "op": name, "error": f"{type(error).__name__}: {str(error)[:300]}"}
        print(json.dumps(line), flush=True)
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("prepare")
    one.add_argument("--sglang", type=Path, required=True)
    one.add_argument("--vllm", type=Path, required=True)
    one.add_argument("-o", "--output", type=Path, required=True)
    for name in ("build", "build-one", "measure", "run"):
        one = commands.add_parser(name)
        one.add_argument("folder", type=Path)
        one.add_argument("names", nargs="*")
        one.add_argument("--vllm", type=Path, default=os.environ.get("PARITY_VLLM"))
        one.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
        one.add_argument("-o", "--output", type=Path, default=Path("cuda_parity.json"))
    options = parser.parse_args()
    if options.command == "prepare":
        prepare(options)
        return 0
    options.folder = options.folder.resolve()
    if TOOLKIT.is_dir():  # SGLang's loader takes the folder above nvcc's, which a link on PATH has no libraries in
        os.environ.setdefault("CUDA_HOME", str(TOOLKIT))
    if options.command == "build":
        return int(bool(build(options.folder, None, options.jobs)))
    if options.command == "build-one":
        framework, name = options.names
        build_one(options.folder, framework, name, Path(options.vllm) if options.vllm else None)
        return 0
    return run(options) if options.command == "run" else measure_all(options)


if __name__ == "__main__":
    sys.exit(main())

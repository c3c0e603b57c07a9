"""Calls read from tests and benchmarks: a real test of vLLM, and one small program for each thing tests do."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from extract.calls.tests import Reader, Reading, open_reader
from kmaint.records.call import Call, SeenDtype, SeenSequence, SeenTensor
from kmaint.records.kernel import HostFunction, Kernel, Release, Scan

MOE = "vllm/model_executor/layers/fused_moe/moe_fused_mul_sum.py"
REAL = Path(__file__).parent / "cases" / "tree"
REAL_TEST = "tests/kernels/moe/test_moe_fused_mul_sum.py::test_invalid_slots_excluded"
LAUNCHER = """\
import torch
from vllm.triton_utils import tl, triton

@triton.jit
def _scale_kernel(x, out, n, stride, BLOCK: tl.constexpr):
    tl.store(out, tl.load(x))

def scale(x, out=None, *, factor=2.0, dtype=None):
    assert x.dim() == 2
    rows, width = x.shape
    out = torch.empty_like(x) if out is None else out
    grid = lambda META: (triton.cdiv(width, META["BLOCK"]), rows)
    _scale_kernel[grid](x, out, width, x.stride(0), BLOCK=64, num_warps=4)
    return out
"""
PARALLEL = """\
def get_tp_group():
    assert _TP is not None
    return _TP

_TP = None
"""
CONFIG = """\
from contextlib import contextmanager
_now = None

def current():
    return _now

@contextmanager
def setting(value):
    global _now
    _now = value
    try:
        yield value
    finally:
        _now = None
"""
ENVS = """\
import os
known = {"ROWS": lambda: int(os.getenv("ROWS", "6"))}

def __getattr__(name):
    return known[name]()
"""
CONFTEST = """\
import pytest

@pytest.fixture
def half():
    return 3

@pytest.fixture(params=[5, 7])
def rows(request):
    return request.param

@pytest.fixture
def doubled(half):
    yield 2 * half
"""
FRAMEWORK = {
    "vllm/__init__.py": "",
    "vllm/scale.py": LAUNCHER,
    "vllm/distributed/parallel_state.py": PARALLEL,
    "vllm/config.py": CONFIG,
    "vllm/envs.py": ENVS,
    "tests/conftest.py": CONFTEST,
}
HEAD = "import pytest, torch, triton\nfrom vllm.scale import scale\n\n"
PROGRAMS: dict[str, tuple[str, list[tuple[int, ...]]]] = {
    "parameters by name and by list": (
        "SIZES = [(3, 8), (5, 16)]\n@pytest.mark.parametrize(('m', 'n'), SIZES)\n"
        "def test_it(m, n):\n    scale(torch.randn(m, n))\n",
        [(3, 8), (5, 16)],
    ),
    "stacked parameters": (
        "@pytest.mark.parametrize('m', range(1, 3))\n@pytest.mark.parametrize('n', [pytest.param(4, id='a')])\n"
        "def test_it(m, n):\n    scale(torch.randn(m, n, device='cuda'))\n",
        [(1, 4), (2, 4)],
    ),
    "views": (
        "def test_it():\n    q, k = torch.empty(6, 24).split([8, 16], dim=-1)\n    scale(q)\n"
        "    scale(k.reshape(6, 2, 8).transpose(0, 1)[1])\n",
        [(6, 8), (6, 8)],
    ),
    "a helper of the file and a fixture": (
        "@pytest.fixture(params=[2, 4])\ndef width(request):\n    return request.param\n\n"
        "def make(n, m=3):\n    return torch.zeros((m, n))\n\ndef test_it(width):\n    scale(make(width))\n",
        [(3, 2), (3, 4)],
    ),
    "lengths from contents": (
        "def test_it():\n    starts = torch.tensor([0, 3, 7]).cumsum(0)\n    scale(torch.ones(int(starts[-1]), 4))\n",
        [(10, 4)],
    ),
    "a class with a loop": (
        "import itertools, unittest\nclass TestIt(unittest.TestCase):\n    NS = [4, 8]\n"
        "    def check(self, m, n):\n        scale(torch.rand(m, n))\n"
        "    def test_it(self):\n        for m, n in itertools.product([1], self.NS):\n            self.check(m, n)\n",
        [(1, 4), (1, 8)],
    ),
    "a test that skips": (
        "@pytest.mark.parametrize('m', [1, 2])\ndef test_it(m):\n    if m == 1:\n        pytest.skip('no')\n"
        "    scale(torch.rand(m, 4))\n",
        [(2, 4)],
    ),
    "an expected failure": (
        "def test_it():\n    with pytest.raises(AssertionError):\n        scale(torch.rand(9))\n"
        "    scale(torch.rand(2, 2))\n",
        [(2, 2)],
    ),
    "a failure that nobody expects": (
        "def test_it():\n    scale(torch.rand(2, 3))\n    raise ValueError\n    scale(torch.rand(2, 2))\n",
        [(2, 3)],
    ),
    "a check of what nobody computed": (
        "def test_it():\n    assert scale(torch.zeros(2, 3)).sum() == 1\n    assert 1 == 2\n"
        "    scale(torch.rand(2, 2))\n",
        [(2, 3), (2, 2)],
    ),
    "fixtures of a conftest": ("def test_it(rows, doubled):\n    scale(torch.rand(rows, doubled))\n", [(5, 6), (7, 6)]),
    "a context of the tree": (
        "from vllm.config import setting, current\ndef test_it():\n    with setting(4) as n, torch.device('cuda'):\n"
        "        scale(torch.rand(n, current()))\n    assert current() is None\n"
        "    scale(torch.rand(2, current() or 3))\n",
        [(4, 4), (2, 3)],
    ),
    "an environment setting": (
        "import os\nfrom vllm import envs\ndef test_it():\n"
        "    scale(torch.rand(envs.ROWS, int(os.environ.get('N', '3'))))\n",
        [(6, 3)],
    ),
    "names that a test changes": (
        "from vllm import config\ndef test_it(monkeypatch):\n    monkeypatch.setattr(config, 'current', lambda: 5)\n"
        "    monkeypatch.setattr('vllm.config._now', 6)\n    monkeypatch.setenv('ROWS', 7)\n    from vllm import envs\n"
        "    scale(torch.rand(config.current(), config._now + envs.ROWS))\n\n"
        "def test_later():\n    from vllm import envs\n    scale(torch.rand(envs.ROWS, config.current() or 2))\n",
        [(5, 13), (6, 2)],
    ),
    "arrays of numpy": (
        "import numpy as np\ndef test_it():\n    lengths = np.array([2, 3], dtype=np.int32)\n"
        "    starts = torch.from_numpy(np.cumsum(lengths, 0))\n    scale(torch.rand(int(starts[-1]), 4))\n",
        [(5, 4)],
    ),
    "records and what makes them": (
        "import dataclasses, functools\n@dataclasses.dataclass\nclass Size:\n    m: int\n    n: int = 4\n"
        "    more: list = dataclasses.field(default_factory=list)\n"
        "    def __post_init__(self):\n        self.n += 1\n\ndef test_it():\n"
        "    size = dataclasses.replace(functools.partial(Size, n=8)(3), m=2)\n"
        "    scale(torch.rand(size.m, size.n + len(size.more)))\n",
        [(2, 9)],
    ),
    "generators": (
        "def sizes():\n    for n in (2, 4):\n        yield 3, n\n    yield from [(5, 6)]\n\ndef test_it():\n"
        "    for m, n in sizes():\n        scale(torch.rand(m, n))\n    scale(torch.rand(*next(sizes())))\n",
        [(3, 2), (3, 4), (5, 6)],
    ),
    "a module": (
        "class Net(torch.nn.Module):\n    def __init__(self, n):\n        super().__init__()\n"
        "        self.register_buffer('weight', torch.empty(3, n), persistent=False)\n    def forward(self, m):\n"
        "        return scale(self.weight[:m])\n\ndef test_it():\n    Net(8).to(torch.float16).cuda()(2)\n",
        [(2, 8)],
    ),
    "groups of processes": (
        "from vllm.distributed.parallel_state import get_tp_group\ndef test_it():\n"
        "    scale(torch.rand(8 // get_tp_group().world_size, 4))\n",
        [(8, 4)],
    ),
    "a benchmark's program": (
        "import argparse\ndef run(n, rows):\n    scale(torch.rand(rows, n))\n\nif __name__ == '__main__':\n"
        "    parser = argparse.ArgumentParser()\n    parser.add_argument('--rows', '-r', type=int, default=9)\n"
        "    args = parser.parse_args()\n    for n in (4, 8):\n        run(n, args.rows)\n",
        [(9, 4), (9, 8)],
    ),
    "a benchmark": (
        "SIZES = [2**i for i in (3, 4)]\n"
        "REPORT = dict(line_arg='provider', line_vals=['torch', 'triton'], args={'n': 32})\n"
        "@triton.testing.perf_report(triton.testing.Benchmark(x_names=['m'], x_vals=SIZES, **REPORT))\n"
        "def benchmark(m, n, provider):\n    x = torch.randn(m, n, dtype=torch.float16)\n"
        "    if provider == 'triton':\n        return triton.testing.do_bench(lambda: scale(x))\n    return x\n",
        [(8, 32), (16, 32)],
    ),
    "programs without an end": (
        "def test_long():\n    while True:\n        pass\n\ndef test_deep():\n    test_deep()\n\n"
        "def test_wide():\n    [i for i in range(10**9)]\n\ndef test_large():\n    torch.zeros(1 << 40)\n\n"
        "def test_it():\n    scale(torch.rand(1, 2))\n",
        [(1, 2)],
    ),
}
OTHERS = {
    "view": (
        "def test_it():\n    x = torch.zeros(3, 200, dtype=torch.bfloat16)[:, 8:108]\n    scale(x, x, dtype=x.dtype)\n"
    ),
    "unknown": "import os\ndef test_it():\n    scale(torch.zeros(3, int(os.environ['N'])))\n",
    "many": (
        "@pytest.mark.parametrize('m', range(1, 21))\n@pytest.mark.parametrize('n', range(1, 11))\n"
        "def test_it(m, n):\n    scale(torch.rand(m, n))\n"
    ),
    "world": (
        "from pathlib import Path\nopen('MARK', 'w')\nPath('MARK').touch()\nimport os\nos.system('touch MARK')\n"
        "def test_it():\n    open('MARK', 'w')\n    exec('open(\"MARK\", \"w\")')\n    torch.save(1, 'MARK')\n"
    ),
}


def path_of(name: str) -> str:
    return f"tests/test_{name.replace(' ', '_')}.py"


def launched(path: str, kernel: str, launcher: str, **evidence: tuple[str, ...]) -> Kernel:
    host = HostFunction(path=path, qualname=launcher, line=1)
    names = {"name": kernel, "qualname": kernel, "language": "triton", "role": "kernel", **evidence}
    return Kernel(path=path, line=1, end_line=2, launchers=(host,), **names)  # type: ignore[arg-type]


def scan_of(*kernels: Kernel) -> Scan:
    release = Release(framework="vllm", version=None, commit=None, licence="Apache-2.0")
    return Scan(tree="", release=release, kernels=kernels, problems=(), files=0, seconds=0.0)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tree")
    programs = {**{name: source for name, (source, _) in PROGRAMS.items()}, **OTHERS}
    files = {path_of(name): HEAD + source.replace("MARK", str(root / "mark")) for name, source in programs.items()}
    for path, text in {**FRAMEWORK, **files}.items():
        (root / path).parent.mkdir(exist_ok=True, parents=True)
        (root / path).write_text(text)
    return root


@pytest.fixture(scope="module")
def reader(root: Path) -> Iterator[Reader]:
    with open_reader(root, scan_of(launched("vllm/scale.py", "_scale_kernel", "scale"))) as opened:
        yield opened


def launches(reading: Reading, name: str = "scale") -> list[Call]:
    return [call for call in reading.calls if call.launcher.endswith(f"::{name}")]


def shapes(reading: Reading) -> list[tuple[int, ...]]:
    found = [call.arguments["x"] for call in launches(reading)]
    return [one.shape for one in found if isinstance(one, SeenTensor)]


def test_a_real_test_gives_its_launchers_calls() -> None:
    kernel = launched(MOE, "moe_fused_mul_sum_kernel", "moe_fused_mul_sum", tests=(REAL_TEST,))
    with open_reader(REAL, scan_of(kernel)) as opened:
        calls = opened.of(kernel, kernel.launchers[0]).calls
    sizes = {one.shape for call in calls if isinstance(one := call.arguments["inputs"], SeenTensor)}
    assert {(tokens, topk, 512) for tokens in (1, 17, 256) for topk in (2, 8)} <= sizes
    first = calls[0]
    assert first.source.endswith("test_invalid_slots_excluded[num_tokens=1-top_k=2-use_expert_map=True]")
    assert first.origin == "framework test"
    local = first.arguments["expert_map"]
    assert isinstance(local, SeenTensor)
    assert local.values == (*range(8), *[-1] * 8)
    assert (local.low, local.high) == (-1, 7)


@pytest.mark.parametrize("name", PROGRAMS)
def test_what_tests_do_is_followed(name: str, reader: Reader) -> None:
    reading = reader.read(path_of(name))
    assert shapes(reading) == PROGRAMS[name][1]
    assert {call.origin for call in reading.calls} == {f"framework {'benchmark' if 'a benchmark' in name else 'test'}"}


def test_every_argument_is_recorded_and_the_kernels_own_launch(reader: Reader) -> None:
    reading = reader.read(path_of("view"))
    view = SeenTensor(shape=(3, 100), stride=(200, 1), dtype="bfloat16", storage=0, offset=8)
    (call,) = launches(reading)
    assert call.arguments == {"x": view, "out": view, "factor": 2.0, "dtype": SeenDtype(dtype="bfloat16")}
    (launch,) = launches(reading, "_scale_kernel")
    assert launch.arguments == {
        "x": view,
        "out": view,
        "n": 100,
        "stride": 200,
        "BLOCK": 64,
        "grid": SeenSequence(items=(2, 3)),
        "num_warps": 4,
    }


def test_what_cannot_be_known_is_left_out_with_its_reason(reader: Reader) -> None:
    reading = reader.read(path_of("unknown"))
    assert reading.calls == ()
    assert "vllm/scale.py::scale: x: an item of os.environ" in " ".join(reading.left_out)


def test_at_most_32_combinations_use_each_value(reader: Reader) -> None:
    found = shapes(reader.read(path_of("many")))
    assert len(found) == 32
    assert {m for m, _ in found} == set(range(1, 21))
    assert {n for _, n in found} == set(range(1, 11))


def test_no_line_of_the_tree_is_executed(reader: Reader, root: Path) -> None:
    reader.read(path_of("world"))
    assert not (root / "mark").exists()


def test_only_the_tests_that_reach_a_kernel_are_read(reader: Reader) -> None:
    test, benchmark = f"{path_of('a class with a loop')}::TestIt.test_it", f"{path_of('a benchmark')}::benchmark"
    kernel = launched("vllm/scale.py", "_scale_kernel", "scale", tests=(test,), benchmarks=(benchmark,))
    reading = reader.of(kernel, kernel.launchers[0])
    assert shapes(reading) == [(1, 4), (1, 8), (8, 32), (16, 32)]
    assert [call.source.partition("[")[0] for call in reading.calls] == [test, test, benchmark, benchmark]
    assert len(reader.of(kernel, None).calls) == 4


def test_no_time_is_no_calls(reader: Reader) -> None:
    name = f"{path_of('many')}::test_it"
    assert reader.read(name, limit_s=0.0) == Reading(calls=(), left_out={f"{name}: no time left": 1})


def test_an_interpreter_without_torch_is_said(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\nexec {sys.executable} -S -c 'import torch'\n")
    python.chmod(0o755)
    with open_reader(REAL, scan_of(), python=str(python)) as opened:
        path = "tests/kernels/moe/test_moe_fused_mul_sum.py"
        expected = f"{path}: the reader of tests ended at {path}: its interpreter may lack torch"
        assert opened.read(path).left_out == {expected: 1}

"""Contracts at a kernel's own level, from kernels whose tensors nothing but a run can tell."""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from extract.deriving.contract import Derived, NotDerivable, Subject, contract_for
from extract.deriving.prober import Effort, Request, WarmProber
from extract.slicing.direct_entry import entry_name, entry_source
from extract.slicing.placing import copy_runtime
from extract.warming import warm_for_trials
from kmaint import wire
from kmaint.forking.warm import Zygote

Derive = Callable[[str, str, str], Derived]
HEAD = "import torch\nimport triton\nimport triton.language as tl\nfrom triton.language.extra import libdevice\n\n\n"
ROWS = """@triton.jit
def scale_rows(x_ptr, w_ptr, out_ptr, stride_x, stride_o, N, HAS_BIAS: tl.constexpr, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    at = tl.arange(0, BLOCK)
    x = tl.load(x_ptr + row * stride_x + at, mask=at < N, other=0.0)
    w = tl.load(w_ptr + at, mask=at < N, other=0.0)
    tl.store(out_ptr + row * stride_o + at, x * w, mask=at < N)
"""
ROWS_LAUNCH = """def scale(x, w):
    M, N = x.shape
    out = torch.empty_like(x)
    scale_rows[(M,)](x, w, out, x.stride(0), out.stride(0), N, False, triton.next_power_of_2(N))
"""
GATHER = """@triton.jit
def gather_rows(table_ptr, src, dst, stride_s, stride_sd, stride_d, dim, BLOCK: tl.constexpr):
    pid = tl.program_id(0)
    row = tl.load(table_ptr + pid)
    for start in range(0, dim, BLOCK):
        at = start + tl.arange(0, BLOCK)
        x = tl.load(src + row * stride_s + at * stride_sd, mask=at < dim)
        tl.store(dst + pid * stride_d + at, libdevice.tanh(x.to(tl.float32)), mask=at < dim)
"""
LOST = """@triton.jit
def lost(x_ptr, out_ptr, N, BLOCK: tl.constexpr):
    at = tl.arange(0, BLOCK)
    x = tl.load(x_ptr + at, mask=at < N)
    y = tl.inline_asm_elementwise("abs.f32 $0, $1;", "=r,r", [x], dtype=tl.float32, is_pure=True, pack=1)
    tl.store(out_ptr + at, y, mask=at < N)
"""
TWICE = """@triton.jit
def look_up_twice(first_idx, second_idx, x_ptr, out_ptr, N, BLOCK: tl.constexpr):
    at = tl.arange(0, BLOCK)
    one = tl.load(first_idx + tl.program_id(0))
    two = tl.load(second_idx + one)
    x = tl.load(x_ptr + (one * 3 + two * 5) * N + at, mask=at < N)
    tl.store(out_ptr + tl.program_id(0) * N + at, x, mask=at < N)
"""
PRODUCT = """@triton.jit
def product(a_ptr, b_ptr, out_ptr, PRECISION: tl.constexpr, BLOCK: tl.constexpr):
    at = tl.arange(0, BLOCK)
    where = at[:, None] * BLOCK + at[None, :]
    found = tl.dot(tl.load(a_ptr + where), tl.load(b_ptr + where), input_precision=PRECISION)
    tl.store(out_ptr + where, found)
"""


@pytest.fixture(scope="module")
def warm() -> Iterator[Zygote]:
    with warm_for_trials(sys.executable) as zygote:
        yield zygote


@pytest.fixture
def derive(warm: Zygote, tmp_path: Path) -> Derive:
    """The contract of a kernel of that text and name, launched by these functions."""

    def derived(text: str, kernel: str, site: str = "") -> Derived:
        node = next(one for one in ast.walk(ast.parse(text)) if isinstance(one, ast.FunctionDef))
        source = f"{HEAD}{text}\n\n{entry_source(node)}"
        (tmp_path / "kernel.py").write_text(source)
        copy_runtime(tmp_path / "runtime", "extract.runtime")
        sites = (site,) if site else ()
        entry = entry_name(kernel)
        subject = Subject(source=source, kernel=kernel, entry=entry, framework="vllm", level="kernel", sites=sites)
        return contract_for(subject, tmp_path, warm, effort=Effort())

    return derived


def test_sizes_strides_and_grid_follow_the_launch(derive: Derive) -> None:
    contract = derive(ROWS, "scale_rows", ROWS_LAUNCH).contract
    arguments = {one.name: one for one in contract.arguments}
    assert arguments["x_ptr"].shape == ("x_0", "N") and arguments["w_ptr"].shape == ("N",)
    assert arguments["out_ptr"].values == "output" and arguments["x_ptr"].values == "normal"
    assert arguments["stride_x"].value == "=N" and arguments["BLOCK"].value == "=next_power_of_2(N)"
    assert arguments["grid"].value == {"tuple": ["=x_0"]} and arguments["HAS_BIAS"].value is False
    assert contract.constraints == ()
    assert next(axis for axis in contract.axes if axis.name == "DT").choices == ("bfloat16", "float16", "float32")


def test_without_a_launch_the_run_tells(derive: Derive) -> None:
    contract = derive(GATHER, "gather_rows", "").contract
    arguments = {one.name: one for one in contract.arguments}
    table = arguments["table_ptr"]
    assert (table.values, table.shape) == ("index", ("programs_0",))
    assert arguments["src"].shape == (table.bound, "dim") and arguments["dst"].shape == ("programs_0", "dim")
    assert arguments["stride_s"].value == "=dim" and arguments["stride_sd"].value == 1
    assert sum(one.weight for one in contract.workloads) == pytest.approx(1.0)


def test_a_contract_can_be_written_and_read(derive: Derive) -> None:
    contract = derive(ROWS, "scale_rows", ROWS_LAUNCH).contract
    assert wire.load(type(contract), json.loads(wire.text(contract))) == contract


def test_what_the_interpreter_cannot_do_is_named_at_once(derive: Derive) -> None:
    limit = r"a limit of Triton's interpreter: .*inline_asm not supported in interpreter mode \(kernel\.py line \d+\)"
    with pytest.raises(NotDerivable, match=limit):
        derive(LOST, "lost", "")


def test_tensors_hold_whatever_their_indices_reach(derive: Derive, warm: Zygote, tmp_path: Path) -> None:
    contract = derive(TWICE, "look_up_twice", "").contract
    prober = WarmProber(warm, tmp_path, entry_name("look_up_twice"))
    requests: list[Request] = [
        {"contract": wire.dump(contract), "case": {"seed": seed, **one.axes}, "limit_s": 8.0}
        for one in contract.workloads
        for seed in range(20)
    ]
    assert requests and all(not one["error"] and not one["outside"] for one in prober.ask(requests))


def test_the_precision_of_a_product_is_a_word(derive: Derive) -> None:
    arguments = {one.name: one for one in derive(PRODUCT, "product", "").contract.arguments}
    assert arguments["PRECISION"].value == "ieee"

"""A guard in host code, compiled against stand-in tensors: it holds for exactly the calls inside the box."""

import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kmaint.expression import evaluate
from kmaint.records.harness import Harness
from kmaint.records.workload import Argument, Axis, Binding
from reintegrate.kinds.cuda.operator import Operator, Parameter, operator_of
from reintegrate.kinds.cuda.pieces import read_pieces
from reintegrate.kinds.cuda.predicate import HostPredicate, host_predicate
from reintegrate.kinds.guard import Guard, guard_of, outside
from reintegrate.kinds.win import Declined, Win
from tests.reintegrate.kinds.cuda.conftest import OPERATORS, Landable, losing

STANDING_IN = """
#include <cstdint>
#include <cstdio>
#include <optional>
#include <vector>
enum class Of { bfloat16, float16, float32, int64 };
struct AnyTensor {
  std::vector<int64_t> sizes;
  Of of;
  int64_t dim() const { return sizes.size(); }
  int64_t ndim() const { return sizes.size(); }
  int64_t size(int64_t index) const { return sizes.at(index); }
  Of dtype() const { return of; }
  Of scalar_type() const { return of; }
  int get_device_index() const { return 0; }
  struct Device { int device_id; };
  Device device() const { return {0}; }
};
namespace torch::headeronly { struct ScalarType {
  static constexpr Of BFloat16 = Of::bfloat16, Half = Of::float16, Float = Of::float32;
}; }
namespace torch::stable { using Tensor = AnyTensor; }
namespace torch::stable::accelerator { struct DeviceGuard { explicit DeviceGuard(int) {} }; }
namespace tvm::ffi { using TensorView = AnyTensor; }
struct cudaDeviceProp { int major, minor; } here{9, 0};
cudaDeviceProp* get_device_prop() { return &here; }
template <Of of> struct Kind { static constexpr Of value = of; };
using bf16_t = Kind<Of::bfloat16>;
using fp16_t = Kind<Of::float16>;
namespace host { template <typename T> bool is_type(Of of) { return of == T::value; } }
namespace host::runtime {
int get_cc_major(int) { return here.major; }
int get_cc_minor(int) { return here.minor; }
}
"""

needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="no g++ on PATH")


def made(win: Win, original: str, name: str = "use_it") -> tuple[Guard, Operator, HostPredicate]:
    guard, operator = guard_of(win), operator_of(win.harness, original, read_pieces(original))
    assert isinstance(guard, Guard)
    assert isinstance(operator, Operator)
    found = host_predicate(win, guard, operator, name)
    assert isinstance(found, HostPredicate)
    return guard, operator, found


def given_as(argument: Argument, parameter: Parameter, axes: Mapping[str, Binding]) -> str:
    """What a case gives for a parameter, in C++."""
    if argument.when != "True" and not evaluate(argument.when, dict(axes)):
        return "std::nullopt"
    if argument.kind == "tensor":
        sizes = ", ".join(str(int(evaluate(size, dict(axes)))) for size in argument.shape)
        return f"AnyTensor{{{{{sizes}}}, Of::{axes.get(argument.dtype, argument.dtype)}}}"
    value = argument.value
    value = evaluate(value[1:], dict(axes)) if isinstance(value, str) and value.startswith("=") else value
    return str(value).lower() if isinstance(value, bool) else str(value)


def answers(found: HostPredicate, operator: Operator, harness: Harness, cases: Sequence[Mapping[str, Binding]]) -> str:
    """What the predicate says of each case, as 0 or 1; the last is the first one again on another architecture."""
    by_name = {one.name: one for one in harness.contract.arguments}
    arguments = {parameter.name: by_name[name] for name, parameter in operator.arguments.items() if name in by_name}
    parameters = {one.name: one for one in operator.arguments.values()}
    calls = [
        f"{found.name}({', '.join(given_as(arguments[name], parameters[name], axes) for name in found.parameters)})"
        for axes in cases
    ]
    told = "".join(f"  std::putchar('0' + {call});\n" for call in calls)
    return (
        f"{STANDING_IN}{found.source}int main() {{\n{told}  here.major = 10;\n  std::putchar('0' + {calls[0]});\n}}\n"
    )


def ran(program: str, folder: Path) -> str:
    (folder / "guard.cpp").write_text(program)
    words = ["g++", "-std=c++20", "-O0", "-Wall", "-Werror", "guard.cpp", "-o", "guard"]
    subprocess.run(words, cwd=folder, check=True)
    return subprocess.run([folder / "guard"], capture_output=True, text=True, check=True).stdout


def near(guard: Guard, axis: Axis) -> list[Binding]:
    """Values of an axis at the sides of the box and beyond them."""
    bound = next((one for one in guard.bounds if one.axis == axis.name), None)
    sides = [bound.low - 1, bound.low, bound.high, bound.high + 1, bound.high - 1] if bound and not bound.values else []
    plain = axis.choices or (max(axis.low, 1), axis.high)
    return [*plain, *(side for side in sides if side > 0)]


@needs_compiler
@pytest.mark.parametrize("name", OPERATORS)
@settings(deadline=None, max_examples=4, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_it_holds_for_exactly_the_calls_inside_the_box(
    name: str, data: st.DataObject, landable: Callable[[str], Landable], tmp_path: Path
) -> None:
    one = landable(name)
    names = [workload.name for workload in one.win.harness.contract.timed]
    lost = data.draw(st.sets(st.sampled_from(names), max_size=len(names) - 1), label="lost")
    win = replace(one.win, evaluation=losing(one.win.evaluation, lost.__contains__))
    guard, operator, found = made(win, one.original)
    axes = win.harness.contract.axes
    drawn = st.fixed_dictionaries({axis.name: st.sampled_from(near(guard, axis)) for axis in axes})
    cases = [workload.axes for workload in win.harness.contract.timed if workload.name in guard.inside]
    cases += [workload.axes for workload in win.harness.contract.timed if workload.name not in guard.inside]
    cases += [*outside(win.harness, guard), *data.draw(st.lists(drawn, min_size=60, max_size=60), label="cases")]
    said = ran(answers(found, operator, win.harness, cases), tmp_path)
    assert said == "".join(str(int(guard.admits(case))) for case in cases) + "0"


def lines(win: Win, original: str) -> Iterator[str]:
    yield from made(win, original)[2].source.splitlines()


def test_the_comment_says_what_was_measured(landable: Callable[[str], Landable]) -> None:
    one = landable("silu_and_mul")
    said = [line for line in lines(one.win, one.original) if line.startswith("//")]
    assert said[:4] == [
        "// Whether the call is one on which the variant above was measured to be faster.",
        "//",
        "// NVIDIA H200, CUDA 13.0: 1.25x over 6 workloads. All other calls run the",
        "// original.",
    ]
    assert "".join(said[4:]).count("num_tokens") == 6
    assert max(len(line) for line in lines(one.win, one.original)) <= 80


def refused(win: Win, original: str, **changed: Parameter) -> str:
    operator = operator_of(win.harness, original, read_pieces(original))
    guard = guard_of(win)
    assert isinstance(operator, Operator)
    assert isinstance(guard, Guard)
    arguments = {name: changed.get(name, one) for name, one in operator.arguments.items()}
    found = host_predicate(win, guard, replace(operator, arguments=arguments), "use_it")
    assert isinstance(found, Declined)
    return found.reason


def test_what_host_code_cannot_ask_is_declined(landable: Callable[[str], Landable]) -> None:
    one = landable("rotary_embedding")
    cases = {
        "key of the operator cannot be left out": {"key": Parameter("key", "torch::stable::Tensor&")},
        "query of the operator is no torch::stable::Tensor but": {"query": Parameter("query", "at::Tensor&")},
        "head of the operator may be left out": {"head_size": Parameter("head", "std::optional<int64_t>")},
        "neox was checked with True only": {"is_neox": Parameter("neox", "std::optional<bool>")},
    }
    for why, changed in cases.items():
        assert refused(one.win, one.original, **changed).startswith(why)


def test_an_argument_that_python_keeps_for_itself_cannot_be_tested(landable: Callable[[str], Landable]) -> None:
    one = landable("fused_add_rmsnorm")
    operator = operator_of(one.win.harness, one.original, read_pieces(one.original))
    guard = guard_of(one.win)
    assert isinstance(operator, Operator)
    assert isinstance(guard, Guard)
    kept = {name: one for name, one in operator.arguments.items() if name != "cast_x_before_out_mul"}
    found = host_predicate(one.win, guard, replace(operator, arguments=kept), "use_it")
    assert found == Declined("cast_x_before_out_mul is handed to no parameter of the operator, so no guard can test it")

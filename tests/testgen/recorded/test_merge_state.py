"""Properties of `merge_state_triton`, which launches `merge_state_kernel` of sglang 0.5.17.

`pytest` in this folder runs them: on the GPU where there is one, otherwise on CPU tensors under the Triton interpreter.
The code under test is kernel.py against itself, or the file that KMAINT_CANDIDATE names against kernel.py, in a process
of its own: it may crash or hang without taking this one along. A failure starts with its code in brackets.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import assume, example, given
from hypothesis import strategies as st

HERE = Path(__file__).parent
INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1" or not torch.cuda.is_available()
if INTERPRETED:
    os.environ["TRITON_INTERPRET"] = "1"  # triton reads it when it is imported, so before kernel.py is
sys.path.insert(0, str(HERE))

from reference import reference  # noqa: E402
from runtime.building import build  # noqa: E402
from runtime.cases import Case, Contract  # noqa: E402
from runtime.contents import PROFILES  # noqa: E402
from runtime.judge import differences  # noqa: E402
from runtime.suite import (  # noqa: E402
    Pair,
    broken,
    check,
    few,
    leading,
    less_accurate,
    opened,
    recoded,
    seeded,
    untouched,
    unwritten,
    upcast,
    use_profile,
)

DEVICE = "cpu" if INTERPRETED else "cuda"
CONTRACT = Contract.read(HERE)
use_profile(HERE)
REPEATS = 2 if INTERPRETED else 20  # a race shows once in many runs, and never under the interpreter
needs_gpu = pytest.mark.skipif(INTERPRETED, reason="needs a CUDA device: the interpreter has no streams and no graphs")


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    """The original, and the code under test beside it."""
    with opened(HERE, "merge_state_triton", DEVICE) as both:
        yield both


# --- What it is called with

# T: dimension 0 of prefix_output, prefix_lse, suffix_output and suffix_lse. Its edges are 65536.
T = st.sampled_from([0, 1, 2, 3, 7, 13, 31, 61, 127, 251, 299, 300]) | st.integers(0, 300)
# H: dimension 1 of prefix_output and suffix_output; last dimension of prefix_lse and suffix_lse.
H = st.sampled_from([1, 5, 8, 32])
# D: last dimension of prefix_output and suffix_output.
D = st.sampled_from([64, 80, 128, 256])
# DT: dtype of prefix_output and suffix_output.
DT = st.sampled_from(["bfloat16", "float16", "float32"])

MOST_ROWS = 48  # under the interpreter, where a program takes 1 to 3 ms and a row is about one program


def reachable(case: Case) -> Case:
    """The case itself on a GPU; under the interpreter one of the same kind that takes well under a second."""
    if not INTERPRETED:
        return case
    axes = case.axes
    rows_each = axes["H"]  # for each step along T
    return case.but(
        T=min(axes["T"], max(1, MOST_ROWS // rows_each)),
    )


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """A recipe: each field is drawn whatever the others are and only then made to fit, so that each shrinks alone."""
    case = reachable(
        Case(
            T=draw(T),
            H=draw(H),
            D=draw(D),
            DT=draw(DT),
            values=draw(st.sampled_from(PROFILES)),
            layout=draw(st.sampled_from(["contiguous", "offset"])),
            seed=draw(st.integers(0, 2**16)),
        )
    )
    assume(CONTRACT.admits(case))
    return case


# What is timed: its share of the time's score, and where it is from.
WORKLOADS = {
    # 33%; model config: Llama 3 8B: 32 heads of 128
    "T64": Case(T=64, H=32, D=128, DT="bfloat16"),
    # 33%; model config: Llama 3 8B: 32 heads of 128
    "T768": Case(T=768, H=32, D=128, DT="bfloat16"),
    # 33%; model config: Llama 3 8B: 32 heads of 128
    "T4096": Case(T=4096, H=32, D=128, DT="bfloat16"),
}


# --- What must hold


def test_smoke(pair: Pair) -> None:
    """The smallest workload does something, without an error and without a byte outside its tensors."""
    case = reachable(WORKLOADS["T64"])
    expected = pair.original(case)
    check(broken(expected))
    check(differences(expected, pair.tested(case), interpreted=INTERPRETED))


@seeded
@given(case=cases())
@example(case=reachable(WORKLOADS["T64"]))
@example(case=reachable(WORKLOADS["T768"]))
@example(case=reachable(WORKLOADS["T4096"]))
def test_does_what_the_original_does(pair: Pair, case: Case) -> None:
    """Same values within the tolerance of their type, same shapes, strides and aliases, same error where there is one.

    Arguments that it writes count as results. The red zones around every tensor stay as they were.
    """
    check(differences(pair.original(case), pair.tested(case), interpreted=INTERPRETED))


@seeded
@given(case=cases())
@example(case=reachable(WORKLOADS["T64"]))
def test_is_as_close_to_float64_as_the_original(pair: Pair, case: Case) -> None:
    """The error against reference() is at most WORSE times the original's: no precision is traded for speed."""
    expected = pair.original(case)
    assume(not expected.error)
    truth = reference(**upcast(build(CONTRACT, case, DEVICE)))
    check(less_accurate(truth, expected, pair.tested(case), interpreted=INTERPRETED))


@few()
@seeded
@given(case=cases())
def test_gives_the_same_bits_twice(pair: Pair, case: Case) -> None:
    """Equal arguments give equal bits, as they do from the original."""
    if differences(pair.original(case), pair.original(case), exact=True):
        pytest.skip(f"the original itself does not on {case}")
    first = pair.tested(case)
    for _ in range(REPEATS):
        check(recoded("nondeterministic", differences(first, pair.tested(case), exact=True)))


@few()
@seeded
@given(case=cases())
def test_leaves_alone_what_the_original_leaves_alone(pair: Pair, case: Case) -> None:
    """Arguments that the original only reads keep their bytes, and so does the memory around every tensor."""
    check(untouched(pair, case, pair.original(case), pair.tested(case)))


@few()
@seeded
@given(case=cases())
def test_writes_every_element_of_its_outputs(pair: Pair, case: Case) -> None:
    """New memory holds NaN before the call; none is left where the original has a number."""
    check(unwritten(pair.original(case), pair.tested(case)))


@few()
@seeded
@given(case=cases())
def test_results_outlive_the_next_call(pair: Pair, case: Case) -> None:
    """A second call on other values, made before the results of the first are read, does not change these."""
    expected = pair.original(case, how="again")
    check(recoded("aliased_output", differences(expected, pair.tested(case, how="again"), interpreted=INTERPRETED)))


@seeded
@given(case=cases(), more=st.integers(1, 3 if INTERPRETED else 40))
def test_a_row_does_not_depend_on_its_batch(pair: Pair, case: Case, more: int) -> None:
    """The first T rows of a larger batch come out to the bit as they do alone, where the original's do."""
    rows = case.axes["T"]
    batch = rows + more
    larger = case.but(T=batch)
    assume(rows and CONTRACT.admits(larger))
    alone = case.but(within={"T": batch})
    if differences(leading(pair.original(alone), rows, rows), leading(pair.original(larger), batch, rows), exact=True):
        return  # not a promise of the original here, so not one of a candidate
    check(differences(leading(pair.tested(alone), rows, rows), leading(pair.tested(larger), batch, rows), exact=True))


@needs_gpu
@few()
@seeded
@given(case=cases())
def test_runs_on_the_current_stream(pair: Pair, case: Case) -> None:
    """Called on another stream and waited for on that stream only, it has done the same: nothing runs elsewhere."""
    check(recoded("stream", differences(pair.original(case), pair.tested(case, how="stream"))))


@needs_gpu
@few()
@seeded
@given(case=cases())
def test_can_be_captured_in_a_graph(pair: Pair, case: Case) -> None:
    """Captured in a CUDA graph and replayed it does the same, wherever the original can be captured."""
    expected = pair.original(case, how="graph")
    if expected.error:
        pytest.skip(f"the original cannot be captured: {expected.error}")
    check(recoded("graph_capture", differences(expected, pair.tested(case, how="graph"))))


@needs_gpu
@pytest.mark.parametrize("T", [65_535, 65_536, 65_537])
def test_takes_more_rows_than_a_grid_is_wide(pair: Pair, T: int) -> None:
    """The second and third dimension of a grid end at 65,535 programs; the rest of the case is small."""
    case = Case(T=T, H=1, D=64, DT="bfloat16")
    check(differences(pair.original(case), pair.tested(case)))

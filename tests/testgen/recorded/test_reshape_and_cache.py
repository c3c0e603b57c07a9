"""Properties of `launch_reshape_and_cache_flash`, which launches `reshape_and_cache_flash` of sglang 0.5.17.

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

from runtime.cases import Case, Contract  # noqa: E402
from runtime.contents import PROFILES, SPECIALS  # noqa: E402
from runtime.judge import Difference, differences, other_values  # noqa: E402
from runtime.outcomes import Outcome  # noqa: E402
from runtime.profiles import few, growing, in_time, kept_as, paced, use_profile  # noqa: E402
from runtime.properties import (  # noqa: E402
    broken,
    leading,
    rolled_back,
    recoded,
    untouched,
    unwritten,
)
from runtime.suite import Pair, check, opened  # noqa: E402

DEVICE = "cpu" if INTERPRETED else "cuda"
CONTRACT = Contract.read(HERE)
KEPT_AS = "sglang.reshape_and_cache_flash 39ae7ed7"  # failing cases are kept in .hypothesis under it, and are met first by the next candidate
use_profile(HERE)
REPEATS = 2 if INTERPRETED else 20  # a race shows once in many runs, and never under the interpreter
needs_gpu = pytest.mark.skipif(INTERPRETED, reason="needs a CUDA device: the interpreter has no streams and no graphs")
needs_two = pytest.mark.skipif(INTERPRETED or torch.cuda.device_count() < 2, reason="needs a second CUDA device")


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    """The original, and the code under test beside it."""
    with opened(HERE, "launch_reshape_and_cache_flash", DEVICE) as both:
        yield both


# --- What it is called with

# T: dimension 0 of key, value and slot_mapping. Its edges are 16.
T_AT = [0, 1, 2, 3, 7, 8, 9, 13, 15, 16, 17, 31, 32, 33, 61, 63, 64]
T = st.sampled_from(T_AT) | st.integers(0, 64)
# H: dimension 1 of key and value; dimension 2 of key_cache and value_cache.
H_AT = [1, 3, 8]
H = st.sampled_from([1, 3, 8])
# D: last dimension of key, value, key_cache and value_cache.
D_AT = [64, 80]
D = st.sampled_from([64, 80])
# BLOCKS: dimension 0 of key_cache and value_cache; bounds the contents of slot_mapping and swa_slot_mapping; part of
# the size of swa_slot_mapping.
BLOCKS_AT = [1, 2, 3, 7, 8, 9, 13, 31, 32, 33, 61, 63, 64]
BLOCKS = st.sampled_from(BLOCKS_AT) | st.integers(1, 64)
# PAGE: dimension 1 of key_cache and value_cache; bounds the contents of slot_mapping and swa_slot_mapping; part of
# the size of swa_slot_mapping.
PAGE_AT = [1, 16]
PAGE = st.sampled_from([1, 16])
# DT: dtype of key, value, key_cache and value_cache.
DT_AT = ["bfloat16", "float16"]
DT = st.sampled_from(["bfloat16", "float16"])
# SCALED: decides whether there is k_scale and v_scale.
SCALED_AT = [False, True]
SCALED = st.sampled_from([False, True])
# SWA: decides whether there is swa_slot_mapping.
SWA_AT = [False, True]
SWA = st.sampled_from([False, True])

VALUES = list(PROFILES)
LAYOUTS = ["contiguous", "offset", "rows"]
DTYPES: list[dict[str, str]] = [{}]

MOST_ROWS = 48  # under the interpreter, where a program takes 1 to 3 ms and a row is about one program

# Single special values over a profile's, in what the original reads as numbers.
POKES = st.lists(
    st.tuples(
        st.sampled_from(["key", "value", "key_cache", "value_cache", "k_scale", "v_scale"]),
        st.integers(0, 2**16),
        st.sampled_from(SPECIALS),
    ),
    max_size=3,
)


def reachable(case: Case) -> Case:
    """The case itself on a GPU; under the interpreter one of the same kind that takes well under a second."""
    if not INTERPRETED:
        return case
    axes = case.axes
    rows_each = max(1, axes["H"])  # for each step along T
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
            BLOCKS=draw(BLOCKS),
            PAGE=draw(PAGE),
            DT=draw(DT),
            SCALED=draw(SCALED),
            SWA=draw(SWA),
            values=draw(st.sampled_from(VALUES)),
            layout=draw(st.sampled_from(LAYOUTS)),
            pokes=draw(POKES),
            seed=draw(st.integers(0, 2**16)),
        )
    )
    assume(CONTRACT.admits(case))
    return case


# What is timed: its share of the time's score, and where it is from.
WORKLOADS = {
    # 100%; model config: Llama 3 8B: 8 heads of 128
    "prefill": Case(T=768, H=8, D=128, BLOCKS=128, PAGE=16, DT="bfloat16", SCALED=False, SWA=False),
}


# As long along one axis as the workloads are, or as it may be.
LONG = {
    "T": [
        Case(T=24, H=1, D=64, BLOCKS=2, PAGE=16, DT="bfloat16", SCALED=False, SWA=False),
        Case(T=48, H=1, D=64, BLOCKS=3, PAGE=16, DT="bfloat16", SCALED=False, SWA=False),
        Case(T=768, H=1, D=64, BLOCKS=61, PAGE=16, DT="bfloat16", SCALED=False, SWA=False),
    ],
}
SMALL = Case(
    T=3, H=3, D=80, BLOCKS=3, PAGE=16, DT="bfloat16", SCALED=False, SWA=False
)  # small and quick, and no stride or row too few goes unseen on it


# --- What must hold


def apart(case: Case, expected: Outcome, actual: Outcome) -> list[Difference]:
    """How what was done differs from what the original did, by more than the tolerance of its type."""
    return differences(expected, actual, interpreted=INTERPRETED, overflows=case.overflows)


def test_smoke(pair: Pair) -> None:
    """The smallest workload does something, without an error and without a byte outside its tensors."""
    case = reachable(WORKLOADS["prefill"])
    expected = pair.original(case)
    check(broken(expected))
    check(apart(case, expected, pair.tested(case)))


@kept_as(KEPT_AS)
@given(case=cases())
@example(case=reachable(WORKLOADS["prefill"]))
@paced
def test_does_what_the_original_does(pair: Pair, case: Case) -> None:
    """Same values within the tolerance of their type, same shapes, strides and aliases, same error where there is one.

    Arguments that it writes count as results. The red zones around every tensor stay as they were.
    """
    if not (pair.wherever_it_lies(case) and pair.reads_only_inside(case)):
        return  # the original has no one answer here
    check(apart(case, pair.original(case), pair.tested(case)))


def test_takes_every_kind_of_values(pair: Pair) -> None:
    """Each profile of values on the small case, and on another type of number."""
    each = [SMALL.but(values=values, seed=seed) for seed, values in enumerate(VALUES)]
    each += [case.but(DT=DT_AT[case.seed % len(DT_AT)]) for case in each]
    for case in in_time(each):
        if not (pair.wherever_it_lies(case) and pair.reads_only_inside(case)):
            continue  # the original has no one answer here
        check(apart(case, pair.original(case), pair.tested(case)), on=case)


def test_takes_every_size(pair: Pair) -> None:
    """Each axis at every value that it is worth trying at, the others as in the small case."""
    edges = {
        "T": T_AT,
        "H": H_AT,
        "D": D_AT,
        "BLOCKS": BLOCKS_AT,
        "PAGE": PAGE_AT,
        "DT": DT_AT,
        "SCALED": SCALED_AT,
        "SWA": SWA_AT,
    }
    for case in in_time(reachable(SMALL.but(**{name: size})) for name, sizes in edges.items() for size in sizes):
        if CONTRACT.admits(case) and pair.wherever_it_lies(case) and pair.reads_only_inside(case):
            check(apart(case, pair.original(case), pair.tested(case)), on=case)


@pytest.mark.skipif(not INTERPRETED, reason="nothing is cut on a GPU: it sees the workloads themselves")
def test_takes_the_sizes_of_its_workloads(pair: Pair) -> None:
    """Each axis that is cut under the interpreter, as long as callers have it, with the others as small as they may be:
    as far as there is time. A second call of that size leaves the results of the first alone."""
    for name, each in LONG.items():
        for case in growing(name, each):
            if not (pair.wherever_it_lies(case) and pair.reads_only_inside(case)):
                continue  # the original has no one answer here
            check(apart(case, pair.original(case), pair.tested(case, how="again")), on=case)


def test_takes_every_layout(pair: Pair) -> None:
    """Its tensors wherever they may lie: the original was tried on each, and gives the same as on contiguous ones."""
    for case in in_time(SMALL.but(layout=layout, seed=1) for layout in LAYOUTS):
        if pair.wherever_it_lies(case) and pair.reads_only_inside(case):
            check(apart(case, pair.original(case), pair.tested(case)), on=case)


def test_reads_nothing_around_its_arguments(pair: Pair) -> None:
    """Other bytes around the tensors make no difference, as they make none to the original."""
    for case in in_time(SMALL.but(values=values, seed=2) for values in VALUES[:4]):
        other = case.but(around=0xFF)
        if not other_values(pair.original(case), pair.original(other), exact=True):
            found = other_values(pair.tested(case), pair.tested(other), exact=True)
            check(recoded("nondeterministic", found), on=case)


@few()
@kept_as(KEPT_AS)
@given(case=cases())
@paced
def test_gives_the_same_bits_twice(pair: Pair, case: Case) -> None:
    """Equal arguments give equal bits, as they do from the original."""
    if not (pair.wherever_it_lies(case) and pair.reads_only_inside(case)):
        return  # the original has no one answer here
    if differences(pair.original(case), pair.original.anew(case), exact=True):
        pytest.skip(f"the original itself does not on {case}")
    first = pair.tested(case)
    for _ in range(REPEATS):
        check(recoded("nondeterministic", differences(first, pair.tested(case), exact=True)))


@few()
@kept_as(KEPT_AS)
@given(case=cases())
@paced
def test_leaves_alone_what_the_original_leaves_alone(pair: Pair, case: Case) -> None:
    """Arguments that the original only reads keep their bytes, and so does the memory around every tensor."""
    if not (pair.wherever_it_lies(case) and pair.reads_only_inside(case)):
        return  # the original has no one answer here
    check(untouched(pair, case, pair.original(case), pair.tested(case)))


@few()
@kept_as(KEPT_AS)
@given(case=cases())
@paced
def test_writes_every_element_of_its_outputs(pair: Pair, case: Case) -> None:
    """New memory holds NaN before the call; none is left where the original has a number."""
    if not (pair.wherever_it_lies(case) and pair.reads_only_inside(case)):
        return  # the original has no one answer here
    check(unwritten(pair.original(case), pair.tested(case)))


@few()
@kept_as(KEPT_AS)
@given(case=cases())
@paced
def test_results_outlive_the_next_call(pair: Pair, case: Case) -> None:
    """A second call on other values, made before the results of the first are read, does not change these."""
    if not (pair.wherever_it_lies(case) and pair.reads_only_inside(case)):
        return  # the original has no one answer here
    expected, found = pair.original(case, how="again"), pair.tested(case, how="again")
    check(recoded("aliased_output", apart(case, expected, found)))


@kept_as(KEPT_AS)
@given(case=cases(), more=st.integers(1, 3 if INTERPRETED else 40))
@paced
def test_a_row_does_not_depend_on_its_batch(pair: Pair, case: Case, more: int) -> None:
    """The first T rows of a larger batch come out to the bit as they do alone, where the original's do."""
    if not (pair.wherever_it_lies(case) and pair.reads_only_inside(case)):
        return  # the original has no one answer here
    rows = case.axes["T"]
    batch = rows + more
    larger = case.but(T=batch)
    assume(rows and CONTRACT.admits(larger))
    alone = case.but(within={"T": batch})
    small, large = pair.original(alone), pair.original(larger)
    if small.error or differences(leading(small, rows, rows), leading(large, batch, rows), exact=True):
        return  # not a promise of the original here, so not one of a candidate
    check(differences(leading(pair.tested(alone), rows, rows), leading(pair.tested(larger), batch, rows), exact=True))


@few()
@kept_as(KEPT_AS)
@given(case=cases(), by=st.integers(1, 5))
@paced
def test_a_row_does_not_depend_on_its_place(pair: Pair, case: Case, by: int) -> None:
    """The same rows in another order come out to the bit as they do in this one, where the original's do."""
    if not (pair.wherever_it_lies(case) and pair.reads_only_inside(case)):
        return  # the original has no one answer here
    rows = case.axes["T"]
    rolled = case.but(rolled={"T": by})
    before = pair.original(case)
    if before.error or rolled_back(before, pair.original(rolled), rows, by):
        return  # not a promise of the original here, so not one of a candidate
    check(rolled_back(pair.tested(case), pair.tested(rolled), rows, by))


@needs_gpu
@few()
@kept_as(KEPT_AS)
@given(case=cases())
@paced
def test_runs_on_the_current_stream(pair: Pair, case: Case) -> None:
    """Called on another stream and waited for on that stream only, it has done the same: nothing runs elsewhere."""
    check(recoded("stream", apart(case, pair.original(case), pair.tested(case, how="stream"))))


@needs_gpu
@few()
@kept_as(KEPT_AS)
@given(case=cases())
@paced
def test_can_be_captured_in_a_graph(pair: Pair, case: Case) -> None:
    """Captured in a CUDA graph and replayed it does the same, wherever the original can be captured."""
    expected = pair.original(case, how="graph")
    if expected.error:
        pytest.skip(f"the original cannot be captured: {expected.error}")
    check(recoded("graph_capture", apart(case, expected, pair.tested(case, how="graph"))))


@needs_two
def test_runs_where_its_arguments_are(pair: Pair) -> None:
    """On the second device, while the first is the current one, it does the same, wherever the original does."""
    case = reachable(WORKLOADS["prefill"])
    with opened(HERE, "launch_reshape_and_cache_flash", "cuda:1") as other:
        expected = other.original(case)
        if expected.error or differences(pair.original(case), expected):
            pytest.skip(f"the original does not: {expected.error or 'other results'}")
        check(apart(case, expected, other.tested(case)))

"""What tensors hold under each profile: as it is called, and valid for what a kernel takes it as."""

from __future__ import annotations

import math
import subprocess
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from extract.runtime.contents import PROFILES, SPECIALS, fill, poke, special_value

FLOATS = (torch.float32, torch.bfloat16, torch.float16)


def filled(
    shape: tuple[int, ...], dtype: torch.dtype, kind: str, bound: int, profile: str, seed: int = 0
) -> torch.Tensor:
    view = torch.empty(shape, dtype=dtype)
    fill(view, kind, bound, profile, torch.Generator().manual_seed(seed))
    return view


@settings(deadline=None)
@given(
    kind=st.sampled_from(["index", "permutation", "lengths", "counts", "cumulative", "slots"]),
    size=st.integers(0, 40),
    bound=st.integers(1, 50),
    profile=st.sampled_from(PROFILES),
    seed=st.integers(0, 99),
)
def test_index_contents_are_valid_under_every_profile(
    kind: str, size: int, bound: int, profile: str, seed: int
) -> None:
    x = filled((size,), torch.int64, kind, bound, profile, seed)
    lowest = {"slots": -1, "counts": 1}.get(kind, 0)
    reached = kind in ("lengths", "counts", "cumulative")
    inside = max(bound, size) if kind in ("permutation", "slots") else bound + reached
    assert bool(((x >= lowest) & (x < max(1, inside))).all())
    if kind in ("permutation", "slots"):
        kept = x[x >= 0]
        assert len(kept.unique()) == len(kept)
    if kind == "cumulative" and size > 1:
        assert x[0] == 0 and x[-1] == bound and bool((x.diff() >= 0).all())


def test_ragged_contents_are_at_their_edges() -> None:
    lengths = filled((200,), torch.int32, "lengths", 9, "ragged")
    assert {0, 9} <= set(lengths.tolist())
    chosen = filled((400,), torch.int32, "index", 64, "ragged").bincount(minlength=64)
    assert int(chosen[0]) > 100 and int((chosen == 0).sum()) > 3


@pytest.mark.parametrize("profile", PROFILES)
def test_a_state_never_grows_by_its_decay(profile: str) -> None:
    rates = filled((50, 4), torch.float32, "decay", 0, profile)
    assert bool(((rates <= 0) & (rates >= -16)).all())


@pytest.mark.parametrize("dtype", FLOATS)
def test_profiles_are_as_they_are_called(dtype: torch.dtype) -> None:
    limits = torch.finfo(dtype)
    drawn = {profile: filled((64, 33), dtype, "normal", 0, profile).double() for profile in PROFILES}
    assert bool((drawn["subnormal"].abs() < limits.smallest_normal * 2).all()) and bool(drawn["subnormal"].any())
    assert bool((drawn["largest"] == limits.max).any(dim=1).all())
    top = drawn["square"].abs().amax(dim=1)
    assert bool((top.square() > limits.max).all()) and bool(top.isfinite().all())
    assert bool((drawn["integers"] == drawn["integers"].round()).all())
    assert len(drawn["ties"].unique()) == 3
    assert float(drawn["first_row"][0].abs().mean()) > 100 * float(drawn["first_row"][1:].abs().mean())
    assert {math.copysign(1, x) for x in drawn["zeros"].flatten().tolist()} == {1.0, -1.0}
    rows = drawn["scales"].abs().mean(dim=1)
    assert float(rows.max() / rows.min()) > 1e3


@pytest.mark.parametrize("special", SPECIALS)
@pytest.mark.parametrize("dtype", FLOATS)
def test_a_poke_puts_one_special_value_there(special: str, dtype: torch.dtype) -> None:
    x = torch.full((3, 4), 0.5, dtype=dtype)
    poke(x, 17, special)
    assert int((x != 0.5).sum()) == 1
    there, wanted = float(x[1, 1]), special_value(special, dtype)
    assert math.isnan(there) if math.isnan(wanted) else there == float(torch.tensor(wanted, dtype=dtype))


def test_a_poke_imports_nothing_that_takes_seconds() -> None:
    """Torch's own way to an index imports sympy at its first call, in each process of a suite and of a candidate."""
    program = (
        "import sys, torch\nfrom extract.runtime.contents import poke\n"
        "poke(torch.ones(3, 4), 5, 'nan')\nprint('sympy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_whole_numbers_and_nothing_are_not_poked() -> None:
    x, none = torch.ones(3, dtype=torch.int32), torch.empty(0)
    poke(x, 0, "nan")
    poke(none, 0, "nan")
    assert x.tolist() == [1, 1, 1]

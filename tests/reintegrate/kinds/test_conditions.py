"""What a guard asks of a call, before any language spells it."""

from pathlib import Path

from kmaint.folder import read_harness
from kmaint.records.harness import Harness
from reintegrate.kinds.conditions import Between, Dtype, Equals, OneOf, Size, conditions, first_tensor, fixed_values
from reintegrate.kinds.guard import Guard, guard_of
from reintegrate.kinds.win import Win
from tests.reintegrate.wins import evaluation

CASE = Path(__file__).parents[1] / "cases" / "merge_state"


def harness() -> Harness:
    return read_harness(CASE)


def test_each_axis_is_read_off_one_argument_and_what_no_case_gives_stays_at_its_default() -> None:
    ratios = {one.name: 1.3 for one in harness().contract.timed}
    win = Win(harness=harness(), evaluation=evaluation((CASE / "winner.py").read_text(), ratios))
    guard = guard_of(win)
    assert isinstance(guard, Guard)
    assert conditions(win, guard) == (
        Between(Size("prefix_output", 2), 128, 128),
        OneOf(Dtype("prefix_output"), ("bfloat16",)),
        Between(Size("prefix_output", 1), 32, 32),
        Between(Size("prefix_output", 0), 64, 4096),
        Equals("output", "None"),
        Equals("output_lse", "None"),
    )


def test_the_device_is_told_by_a_tensor_that_is_always_given() -> None:
    assert first_tensor(harness()) == "prefix_output"
    assert fixed_values(harness()) == []

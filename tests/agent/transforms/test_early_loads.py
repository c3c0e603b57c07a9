"""A load moves up to where its program first waits, and never past what it may depend on."""

from __future__ import annotations

import pytest

from kmaint.agent.transforms.base import NotApplicable, Subject
from kmaint.agent.transforms.early_loads import BEFORE, apply
from kmaint.records.workload import Contract

LINE = "    scale = tl.load(scale_ptr + offsets, mask=mask, other=0.0)\n"
TOP = "    top = tl.max(tl.abs(x), axis=0)\n"


def variants(source: str) -> list[str]:
    subject = Subject(source=source, kernel="kernel", entry="launch", contract=Contract(axes=(), arguments=()))
    return [variant.source for variant in apply(subject)]


def test_offsets_that_only_the_load_needs_come_along() -> None:
    own = "    there = tl.arange(0, BLOCK) * 1\n"
    moved = LINE.replace("offsets,", "there,")
    source = BEFORE.replace(LINE, own + moved)
    (variant,) = variants(source)
    assert variant == source.replace(own + moved, "").replace(TOP, own + moved + TOP)


@pytest.mark.parametrize(
    ("name", "between"),
    [
        ("its offsets are made of what was reduced", "    offsets = offsets + top.to(tl.int32)\n"),
        ("a store through its own pointer", "    tl.store(scale_ptr + offsets, x, mask=mask)\n"),
        ("an atomic", "    tl.atomic_add(y_ptr + row, top)\n"),
        ("a barrier", "    tl.debug_barrier()\n"),
        ("a program that may end", "    if top == 0.0:\n        return\n"),
        ("a function nobody knows", "    unknown(y_ptr)\n"),
        ("another value of the same name", "    scale = 1.0\n    top = top * scale\n"),
    ],
)
def test_it_does_not_pass(name: str, between: str) -> None:
    with pytest.raises(NotApplicable) as error:
        variants(BEFORE.replace(LINE, between + LINE))
    assert str(error.value) == "no load stands behind a store or a reduction that it does not depend on", name


def test_it_does_not_pass_a_store_to_what_the_launch_gives_it() -> None:
    source = BEFORE.replace(TOP, "    tl.store(y_ptr + row * columns + offsets, x, mask=mask)\n    top = 1.0\n")
    (variant,) = variants(source)
    assert variant.index(LINE) < variant.index("tl.store")
    with pytest.raises(NotApplicable):
        variants(source.replace("(x, scale, y, columns", "(x, y, y, columns"))

"""Roots that are only divided by."""

from __future__ import annotations

import pytest

from kmaint.agent.transforms.base import NotApplicable, Subject
from kmaint.agent.transforms.rsqrt import BEFORE, apply
from kmaint.records.workload import Contract

ROOT = "tl.sqrt(tl.sum(x * x, axis=0) / columns + 1e-6)"


def variants(source: str) -> list[str]:
    subject = Subject(source=source, kernel="kernel", entry="launch", contract=Contract(axes=(), arguments=()))
    return [variant.source for variant in apply(subject)]


def test_one_over_a_root_is_the_instruction_itself() -> None:
    source = BEFORE.replace(f"rms = {ROOT}", f"scale = 1.0 / {ROOT}").replace("x / rms", "x * scale")
    assert variants(source) == [source.replace(f"1.0 / {ROOT}", ROOT.replace("sqrt", "rsqrt"))]


def test_one_over_its_name_is_the_name() -> None:
    source = BEFORE.replace("x / rms", "x * (1.0 / rms)")
    (variant,) = variants(source)
    assert "x * (inv_rms)" in variant or "x * inv_rms" in variant


@pytest.mark.parametrize("use", ["x / rms + rms", "x * rms", "rms / x"])
def test_a_root_with_another_use_stays(use: str) -> None:
    with pytest.raises(NotApplicable) as error:
        variants(BEFORE.replace("x / rms", use))
    assert str(error.value) == "no tl.sqrt is used for nothing but being divided by"

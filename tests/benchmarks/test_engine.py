"""The tables of whole engines in docs/measured.md."""

import pytest

from benchmarks.engine import ENGINES, newest, place, table


@pytest.mark.parametrize("engine", ENGINES)
def test_the_page_says_what_was_measured(engine: str) -> None:
    assert not place(engine).put(table(newest(engine)), check=True), "run python -m benchmarks.engine"


def test_every_point_has_its_row_and_its_noise() -> None:
    kept = newest("vllm")
    lines, others = table(kept).splitlines(), [one["leg"] for one in kept["bench"]["others"]]
    points = [line for line in lines if line.startswith("| decode ")]
    assert "attention_backend=FLASH_ATTN" in others
    assert {line.split("|")[1].split()[1] for line in points} == {
        *("1x256", "1x4096", "1x16384"),
        *("16x2048", "16x8192", "64x1024"),
    }
    assert all(line.count("x (") == 2 + len(others) for line in points)
    assert {line.count("|") for line in (*lines[:2], *points)} == {6 + len(others)}


def test_how_long_the_device_is_busy_is_told_where_it_was_recorded() -> None:
    lines = table(newest("sglang")).splitlines()
    assert lines[0].endswith("| device busy |")
    assert all(line.endswith("x |") and " us, 1.0" in line for line in lines if line.startswith("| decode "))
    assert len({line.count("|") for line in lines if line.startswith("|")}) == 1

"""The tables of whole engines in docs/measured.md."""

import pytest

from benchmarks.engine import TABLES, newest, place, table


@pytest.mark.parametrize("name", TABLES)
def test_the_page_says_what_was_measured(name: str) -> None:
    assert not place(name).put(table(newest(name)), check=True), "run python -m benchmarks.engine"


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
    deeper = newest("vllm deeper")
    for kept in (newest("sglang"), deeper):
        lines = table(kept).splitlines()
        points = [line for line in lines if line.startswith("| decode ")]
        assert lines[0].endswith("| device busy |")
        assert len({line.count("|") for line in lines if line.startswith("|")}) == 1
        recorded = [bool(one["busy_s"]) for one in kept["bench"]["points"]]
        assert [line.endswith("x |") and " us, 1." in line for line in points] == recorded
    assert not all(bool(one["busy_s"]) for one in deeper["bench"]["points"])

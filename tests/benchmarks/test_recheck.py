"""The table of rechecked wins in docs/landing.md."""

from benchmarks.recheck import PLACE, RESULTS, table, timed_wins

KEPT = max(RESULTS.glob("*-recheck.json"))


def test_the_page_says_what_was_found() -> None:
    assert not PLACE.put(table(KEPT), check=True), f"run python -m benchmarks.recheck {KEPT}"


def test_a_win_that_was_timed_says_so_by_todays_rule() -> None:
    timed = {one["win"]: one for one in timed_wins()}
    assert timed
    for one in timed.values():
        assert (one["verdict"] == "holds") == one["reason"].endswith(" on NVIDIA H200")
        assert "not timed" not in one["reason"]
    rows = table(KEPT).splitlines()
    assert sum("on NVIDIA H200" in line or "dishonest" in line for line in rows) == len(timed)

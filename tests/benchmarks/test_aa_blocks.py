"""The table of A/A blocks in docs/measured.md."""

from benchmarks.aa_blocks import PAGES, recorded, retimed, table


def test_the_page_says_what_was_recorded() -> None:
    for place, found in PAGES:
        assert not place.put(table(list(found())), check=True), "run python -m benchmarks.aa_blocks"


def test_what_was_retimed_is_no_part_of_the_runs() -> None:
    ours, theirs = list(retimed()), list(recorded())
    assert ours and theirs
    assert all(one not in theirs for one in ours)


def test_a_block_is_far_off_where_its_halves_are_more_than_five_percent_apart() -> None:
    short = {"original_us": [2.0], "control_a_us": [2.0, 2.2], "control_b_us": [2.0, 2.0]}
    long = {"original_us": [40.0], "control_a_us": [40.0], "control_b_us": [40.1]}
    found = [{**short, "noise": {"low": 1.0, "high": 1.1}}, {**long, "noise": {"low": 0.997, "high": 1.0}}]
    rows = table(found).splitlines()
    assert rows[2] == "| 0 to 3 us | 1 | 2 | 50.0% | 100% |"
    assert rows[-1] == "| 30 us and more | 1 | 1 | 0.0% | 0% |"

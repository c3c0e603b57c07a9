"""The README's table of the whole engine."""

from benchmarks.engine import BEGIN, END, ROOT, newest, table


def test_the_readme_says_what_was_measured() -> None:
    said = (ROOT / "README.md").read_text().split(BEGIN)[1].split(END)[0]
    assert said.strip() == table(newest()).strip()


def test_every_point_has_its_row_and_its_noise() -> None:
    kept = newest()
    lines, others = table(kept).splitlines(), [one["leg"] for one in kept["bench"]["others"]]
    points = [line for line in lines if line.startswith("| decode ")]
    assert "attention_backend=FLASH_ATTN" in others
    assert {line.split("|")[1].split()[1] for line in points} == {
        *("1x256", "1x4096", "1x16384"),
        *("16x2048", "16x8192", "64x1024"),
    }
    assert all(line.count("x (") == 2 + len(others) for line in points)
    assert {line.count("|") for line in (*lines[:2], *points)} == {6 + len(others)}

"""The README's table of the whole engine."""

from benchmarks.engine import BEGIN, END, ROOT, newest, table


def test_the_readme_says_what_was_measured() -> None:
    said = (ROOT / "README.md").read_text().split(BEGIN)[1].split(END)[0]
    assert said.strip() == table(newest()).strip()


def test_every_point_has_its_row_and_its_noise() -> None:
    lines = table(newest()).splitlines()
    points = [line for line in lines if line.startswith("| decode ")]
    assert [line.split("|")[1].strip() for line in points][:3] == ["decode 1x256", "decode 1x4096", "decode 1x16384"]
    assert len(points) == 6
    assert all(line.count("x (") == 2 for line in points)
    assert lines[0].count("|") == lines[1].count("|") == points[0].count("|") == 7

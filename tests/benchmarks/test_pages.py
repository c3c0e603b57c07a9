"""A script's table stands between its two comments, and nothing else of the page moves."""

from pathlib import Path

import pytest

from benchmarks.pages import Place

ONE, TWO = (f"<!-- {name}: written by s.py -->\n{{}}<!-- end of {name} -->\n" for name in ("one", "two"))
PAGE = f"a\n{ONE.format('old' + chr(10))}b\n{TWO.format('')}c"


@pytest.fixture
def page(tmp_path: Path) -> Path:
    (file := tmp_path / "page.md").write_text(PAGE)
    return file


def test_a_table_is_put_where_its_own_was(page: Path) -> None:
    one, two = (Place(page.name, name, "s.py", page.parent) for name in ("one", "two"))
    assert one.put("| new |\n") and two.put("| x |\n| y |")
    text = page.read_text()
    assert text == PAGE.replace("old", "| new |").replace("<!-- end of two", "| x |\n| y |\n<!-- end of two")
    assert not one.put("| new |") and page.read_text() == text


def test_a_check_says_what_it_would_change_and_changes_nothing(page: Path) -> None:
    assert Place(page.name, "one", "s.py", page.parent).put("new", check=True)
    assert page.read_text() == PAGE


def test_a_page_without_the_place_is_a_mistake_and_stays(page: Path) -> None:
    with pytest.raises(ValueError, match=r"page.md has no place for 'one', written by other.py"):
        Place(page.name, "one", "other.py", page.parent).put("new")
    assert page.read_text() == PAGE

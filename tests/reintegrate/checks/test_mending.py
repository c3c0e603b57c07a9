"""What a newer release's linters ask of a winner that was written for an older one."""

from pathlib import Path

import pytest

from reintegrate.checks.mending import mend

PYPROJECT = '[tool.ruff]\nline-length = 40\n[tool.ruff.lint]\nselect = ["E", "F", "D200"]\n'


@pytest.fixture
def top(tmp_path: Path) -> Path:
    (tmp_path / "pyproject.toml").write_text(PYPROJECT)
    return tmp_path


def mended(top: Path, text: str, *, before: str = "", rules: tuple[str, ...] = ()) -> str:
    (top / "a.py").write_bytes(text.encode())
    mend(top, "a.py", before, rules)
    return (top / "a.py").read_bytes().decode()


def test_a_docstring_that_ruff_would_not_mend_by_itself(top: Path) -> None:
    """vLLM 0.33.0 asks for D200, which a winner written for 0.26.0 does not keep."""
    wide = 'def here():\n    """\n    Where we are.\n    """\n    return 1\n'
    assert mended(top, wide) == 'def here():\n    """Where we are."""\n    return 1\n'


def test_other_unsafe_mending_is_left_to_people(top: Path) -> None:
    unused = 'def here():\n    """\n    Where.\n    """\n    found = 1\n    return 2\n'
    assert mended(top, unused) == unused


def test_a_comment_that_is_too_wide_goes_on_in_the_next_line(top: Path) -> None:
    text = (
        "x = 1  # as it was before this line came\n"
        "# All of this comment does not fit into\n"
        "# forty columns, so some of it has to be\n"
        "# moved.\n"
        "y = 2\n"
    )
    assert mended(top, text) == text
    wider = text.replace("# All of this comment", "# All of this wide comment")
    assert mended(top, wider) == (
        "x = 1  # as it was before this line came\n"
        "# All of this wide comment does not fit\n"
        "# into forty columns, so some of it has\n"
        "# to be moved.\n"
        "y = 2\n"
    )


def test_what_was_there_before_is_left_as_it_was(top: Path) -> None:
    old = "# - one\n# - two\n# x = 1\n"
    wide = "# This comment is new, and it is wider than forty columns.\n"
    assert mended(top, wide + old, before=old) == (
        f"# This comment is new, and it is wider\n# than forty columns.\n{old}"
    )
    assert mended(top, wide, before=wide) == wide


def test_a_string_that_looks_like_a_comment_is_none(top: Path) -> None:
    text = f'CODE = """\n# {"word " * 9}\n# next\n"""\nOTHER = "a\u2028b\x0c"\n# {"word " * 9}end\n'
    found = mended(top, text)
    assert found.startswith(text[: text.index("OTHER")] + 'OTHER = "a\u2028b\x0c"\n# word')
    assert max(map(len, found.split("\n")[5:])) <= 40


def test_an_item_of_a_list_stays_one(top: Path) -> None:
    text = f"# {'word ' * 9}\n# - {'item'}\n".replace(" \n", "\n")
    assert mended(top, text).endswith("\n# - item\n")


def test_rules_that_the_hook_does_not_take_mend_nothing(top: Path) -> None:
    text = 'import os\n\n\ndef here():\n    """\n    Where.\n    """\n'
    assert mended(top, text, rules=("--select=F401",)) == text.removeprefix("import os\n")


@pytest.mark.parametrize(
    "line",
    [
        "x = 'a string that is as wide as it has to be'",
        "# noqa: this is for a program and is not prose",
        "# mypy: disable-error-code=a-code-that-is-long",
    ],
)
def test_nothing_else_that_is_too_wide_is_touched(top: Path, line: str) -> None:
    assert mended(top, f"{line}\n") == f"{line}\n"

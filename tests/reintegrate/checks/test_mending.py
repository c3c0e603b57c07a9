"""What a newer release's linters ask of a winner that was written for an older one."""

from pathlib import Path

import pytest

from reintegrate.checks.mending import mend

PYPROJECT = '[tool.ruff]\nline-length = 40\n[tool.ruff.lint]\nselect = ["E", "F", "D200"]\n'


@pytest.fixture
def top(tmp_path: Path) -> Path:
    (tmp_path / "pyproject.toml").write_text(PYPROJECT)
    return tmp_path


def mended(top: Path, text: str) -> str:
    (top / "a.py").write_text(text)
    mend(top, "a.py")
    return (top / "a.py").read_text()


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


@pytest.mark.parametrize(
    "line", ["x = 'a string that is as wide as it has to be'", "# noqa: this is for a program and is not prose"]
)
def test_nothing_else_that_is_too_wide_is_touched(top: Path, line: str) -> None:
    assert mended(top, f"{line}\n") == f"{line}\n"

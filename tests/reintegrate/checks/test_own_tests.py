"""A framework's tests before and after: the same outcomes, or the road stops; what cannot run is never passed."""

import sys
from pathlib import Path

import pytest

from kmaint.errors import UsageError
from kmaint.records.change import Check
from reintegrate.checks.own_tests import OwnTests

TESTS = """
import pytest
from package import double


class TestDouble:
    @pytest.mark.parametrize("x", [1, 2])
    def test_doubles(self, x):
        assert double(x) == 2 * x


def test_needs_a_gpu():
    pytest.skip("no CUDA device")


def test_fails_anyway():
    assert False
"""


@pytest.fixture
def top(tmp_path: Path) -> Path:
    (tmp_path / "package.py").write_text("def double(x):\n    return x + x\n")
    (tmp_path / "test_double.py").write_text(TESTS)
    return tmp_path


def checked(top: Path, after: str, *tests: str, brought: tuple[str, ...] = ()) -> list[Check]:
    own = OwnTests(top, top, Path(sys.executable), tests)
    own.before()
    (top / "package.py").write_text(after)
    return own.after(brought)


def test_the_same_outcomes_pass_failures_among_them(top: Path) -> None:
    names = "test_double.py::TestDouble.test_doubles", "test_double.py::test_fails_anyway"
    assert checked(top, "def double(x):\n    return 2 * x\n", *names) == [
        Check(
            name="the framework's own tests",
            state="passed",
            detail=f"{', '.join(names)}: 1 failed, 2 passed, as before the patch",
        )
    ]


def test_another_outcome_stops_the_road(top: Path) -> None:
    with pytest.raises(UsageError) as stopped:
        checked(top, "def double(x):\n    return 2 if x == 1 else 5\n", "test_double.py::TestDouble.test_doubles")
    assert str(stopped.value) == (
        "test_double.TestDouble::test_doubles[2]: passed before the patch, failed with it (assert 5 == (2 * 2)); "
        "the framework's own tests decide: mend the winner"
    )


def test_what_only_skips_or_cannot_be_collected_is_not_run(top: Path) -> None:
    (top / "test_broken.py").write_text("import a_compiled_extension\n")
    names = "test_double.py::test_needs_a_gpu", "test_broken.py::test_x"
    [found] = checked(top, "def double(x):\n    return x + x\n", *names)
    assert found.state == "not_run"
    assert "No module named 'a_compiled_extension'" in found.detail or "1 skipped" in found.detail


def test_a_test_that_the_patch_brings_has_to_pass(top: Path) -> None:
    (top / "test_new.py").write_text("from package import double\n\ndef test_new():\n    assert double(3) == 6\n")
    (top / "test_limit.py").write_text("def test_limit():\n    (3).to(2)\n")
    [_, new, limit] = checked(top, "def double(x):\n    return x + x\n", brought=("test_new.py", "test_limit.py"))
    assert (new.name, new.state) == ("the new test test_new.py", "passed")
    assert (limit.state, limit.detail) == (
        "not_run",
        "1 raised under the Triton interpreter: AttributeError: 'int' object has no attribute 'to'",
    )
    with pytest.raises(UsageError, match=r"test_new.py: 1 failed with the patch: assert 3 == 6; mend the winner"):
        checked(top, "def double(x):\n    return x\n", brought=("test_new.py",))


def test_without_an_interpreter_nothing_runs(top: Path) -> None:
    own = OwnTests(top, top, None, ("test_double.py::test_x",))
    own.before()
    assert {check.state for check in own.after(("test_new.py",))} == {"not_run"}

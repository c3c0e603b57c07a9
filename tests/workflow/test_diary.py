"""What changed between two nights, and which night is which."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kmaint.errors import UsageError
from kmaint.records.kernel import Release
from kmaint.records.night import Move, Night, Snapshot
from kmaint.workflow import diary

RELEASE = Release(framework="sglang", version="1", commit=None, licence="Apache-2.0")
TREES = st.dictionaries(
    st.sampled_from([f"{path}.py::{name}" for path in "abc" for name in ("one", "two")]), st.sampled_from("xyz")
)


def snapshot(kernels: dict[str, str]) -> Snapshot:
    return Snapshot(release=RELEASE, kernels=kernels)


def test_what_changed_is_told_from_what_moved() -> None:
    before = snapshot({"a.py::k": "1", "a.py::gone": "2", "a.py::same": "3", "a.py::edited": "4"})
    after = snapshot({"b.py::k": "1", "a.py::new": "2", "a.py::same": "3", "a.py::edited": "5"})
    found = diary.changes(before, after)
    assert (found.added, found.removed, found.changed) == (("a.py::new",), ("a.py::gone",), ("a.py::edited",))
    assert found.moved == (Move(before="a.py::k", after="b.py::k"),)
    assert found.any


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(before=TREES, after=TREES)
def test_changes_account_for_every_kernel_once(before: dict[str, str], after: dict[str, str]) -> None:
    """Taking the changes back from the later tree gives the earlier one's ids, and each id is in one list at most."""
    found = diary.changes(snapshot(before), snapshot(after))
    back = (set(after) - {*found.added, *(move.after for move in found.moved)}) | {
        *found.removed,
        *(move.before for move in found.moved),
    }
    assert back == set(before)
    listed = [*found.added, *found.changed, *(move.after for move in found.moved)]
    assert len(listed) == len(set(listed))
    assert {name for name in before.keys() & after.keys() if before[name] != after[name]} == set(found.changed)
    assert all(before[move.before] == after[move.after] for move in found.moved)
    assert not diary.changes(snapshot(before), snapshot(before)).any


def test_the_last_night_is_the_newest_of_the_same_framework(tmp_path: Path) -> None:
    for name, framework, began in (
        ("a", "sglang", "2026-01-01"),
        ("b", "sglang", "2026-01-02"),
        ("c", "vllm", "2026-01-03"),
    ):
        night = Night(id=name, framework=framework, began=began)
        diary.keep(tmp_path, night)
        diary.keep_snapshot(tmp_path, night, snapshot({f"{name}.py::k": name}))
    tonight = Night(id="d", framework="sglang", began="2026-01-04")
    assert [night.id for night in diary.others(tmp_path, tonight)] == ["b", "a"]
    assert diary.last_snapshot(tmp_path, tonight) == snapshot({"b.py::k": "b"})
    assert diary.last_snapshot(tmp_path, Night(id="x", framework="sglang", began="2025")) is None


def test_a_night_is_opened_by_name(tmp_path: Path) -> None:
    new = diary.open_night(tmp_path, None, "vllm")
    assert new.id.endswith("-vllm") and new.steps == ()
    diary.keep(tmp_path, new)
    assert diary.open_night(tmp_path, new.id, "vllm") == new
    for name, framework, said in (
        (new.id, "sglang", f"night {new.id!r} is one of vllm, not of sglang; name another with --night"),
        ("../x", "vllm", "'../x' cannot name a night; use letters, digits, dots, dashes and underscores"),
    ):
        with pytest.raises(UsageError) as caught:
            diary.open_night(tmp_path, name, framework)
        assert str(caught.value) == said
    (diary.place(tmp_path, new) / diary.NIGHT).write_text("[]")
    with pytest.raises(UsageError, match="not as kmaint writes it"):
        diary.open_night(tmp_path, new.id, "vllm")

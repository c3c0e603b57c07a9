from __future__ import annotations

from kmaint.records.kernel import Release
from kmaint.records.night import Changes, Move, Night, Step, Taken
from reports.night import MOST_LISTED, night_summary

RELEASE = Release(framework="vllm", version="0.33.0", commit="0123456789abcdef", licence="Apache-2.0")


def night(**more: object) -> Night:
    steps = (Step(name="scan", state="done", said="a | b `c`\nd", seconds=1.6),)
    return Night(id="n", framework="vllm", began="2026-11-29", steps=steps, **more)  # type: ignore[arg-type]


def test_a_night_that_only_scanned() -> None:
    assert night_summary(night(release=RELEASE)) == (
        "## kmaint nightly: vllm 0.33.0 at `0123456789ab`\n\n"
        "| step | | | s |\n| --- | --- | --- | ---: |\n| scan | done | a \\| b 'c' d | 2 |\n"
    )
    assert night_summary(night()).startswith("## kmaint nightly: vllm\n")


def test_kernels_and_changes() -> None:
    taken = (
        Taken(kernel="a.py::k", text="1", state="won", run="k-1", branch="kmaint/k-1", ratio=1.234),
        Taken(kernel="b.py::k", text="2", state="estimated", run="k-2"),
    )
    added = tuple(f"{number:03}.py::k" for number in range(MOST_LISTED + 2))
    moved = (Move(before="c.py::k", after="d.py::k"),)
    changes = Changes(since=RELEASE, added=added, removed=(), changed=("a.py::k",), moved=moved)
    text = night_summary(night(release=RELEASE, taken=taken, changes=changes))
    assert "| `a.py::k` | won | 1.23x | `kmaint/k-1` |  |\n" in text
    assert "| `b.py::k` | estimated |  |  |  |\n" in text, "what was not timed has no speedup"
    assert "<details><summary>1 changed</summary>\n\n- `a.py::k`\n\n</details>" in text
    assert f"<summary>{MOST_LISTED + 2} added</summary>" in text
    assert "- and 2 more\n" in text
    assert "- `c.py::k to d.py::k`" in text
    assert "removed" not in text

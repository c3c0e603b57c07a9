"""How a suite shares a GPU: each example in its turn, and what is compiled for it kept apart from a candidate's."""

from __future__ import annotations

import sys
from pathlib import Path

from kmaint.child import clean_environment, run_child
from kmaint.evaluate.rungs import suite_worker

SUITE = '''
import fcntl, os
import triton
from hypothesis import given, settings, strategies as st

def has_turn():
    """Whether somebody shares the GPU: whoever wants it alone does not get it."""
    with open(os.environ["KMAINT_TURNS"], "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False

assert not has_turn()
SEEN = []

@settings(max_examples=5, database=None)
@given(n=st.integers())
def test_with_examples(n):
    SEEN.append(n)
    assert has_turn()

def test_without():
    assert has_turn() and len(SEEN) == 5

def test_kernels_are_kept_apart():
    assert triton.knobs.cache.dir == os.environ["KMAINT_ORIGINALS"]
    assert os.environ["TRITON_CACHE_DIR"] == "theirs"
'''


def test_each_example_takes_its_turn_and_kernels_are_kept_apart(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(SUITE)
    places = {"KMAINT_TURNS": str(tmp_path / "turns"), "KMAINT_ORIGINALS": str(tmp_path / "originals")}
    ended = run_child(
        [sys.executable, suite_worker.__file__, "-q", "-p", "no:cacheprovider", str(tmp_path / "test_it.py")],
        timeout_s=120,
        env=clean_environment({**places, "TRITON_CACHE_DIR": "theirs"}),
        cwd=tmp_path,
    )
    assert ended.code == 0, ended.stdout
    assert "3 passed" in ended.stdout

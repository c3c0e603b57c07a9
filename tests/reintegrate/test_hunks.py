"""A commit in the pieces that a person reads: nothing of its diff is left out, and any change changes a digest."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmaint.records.change import Landing
from reintegrate.hunks import changed_lines, contents_before, hunks_of, patch_digest, split_hunks

LINES = "".join(f"line {number}\n" for number in range(40))


def git(folder: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    """A commit of two hunks in one file, a new file, a mode and a file that goes."""
    git(tmp_path, "init", "--quiet")
    for key, value in (("user.name", "A"), ("user.email", "a@example.org"), ("diff.mnemonicPrefix", "true")):
        git(tmp_path, "config", key, value)
    (tmp_path / "long.py").write_text(LINES)
    (tmp_path / "run.sh").write_text("true\n")
    (tmp_path / "old.py").write_text("--- a/x\n+++ b/x\n@@ -1 +1 @@\n")
    git(tmp_path, "add", "--all")
    git(tmp_path, "commit", "--quiet", "--message=before")
    (tmp_path / "long.py").write_text(LINES.replace("line 3\n", "three\n").replace("line 33\n", "\x0cthirty\n"))
    (tmp_path / "run.sh").chmod(0o755)
    (tmp_path / "old.py").unlink()
    (tmp_path / "new.py").write_text("pass\n")
    git(tmp_path, "add", "--all")
    git(tmp_path, "commit", "--quiet", "--message=after")
    base, commit = git(tmp_path, "rev-parse", "HEAD~1"), git(tmp_path, "rev-parse", "HEAD")
    return Landing(tree=str(tmp_path), branch="b", commit=commit, base=base, diff="", stat="", patch_file="")


def test_every_file_is_shown_and_every_hunk_once(landing: Landing) -> None:
    hunks = hunks_of(landing)
    assert [(hunk.path, hunk.text.partition("\n")[0]) for hunk in hunks] == [
        ("long.py", "@@ -1,7 +1,7 @@"),
        ("long.py", "@@ -31,7 +31,7 @@ line 29"),
        ("new.py", "@@ -0,0 +1 @@"),
        ("old.py", "@@ -1,3 +0,0 @@"),
        ("run.sh", ""),
    ]
    assert "new mode 100755" in hunks[4].header
    assert "+\x0cthirty\n" in hunks[1].text
    assert len({hunk.digest for hunk in hunks}) == 5
    assert changed_lines(hunks) == 8


def test_the_users_settings_do_not_change_what_was_attested_to(landing: Landing) -> None:
    before = patch_digest(hunks_of(landing))
    for key, value in (("diff.context", "1"), ("diff.algorithm", "patience"), ("core.abbrev", "12")):
        git(Path(landing.tree), "config", key, value)
    assert patch_digest(hunks_of(landing)) == before


def test_what_files_held_before(landing: Landing) -> None:
    held = contents_before(landing)
    assert held["new.py"] == ""
    assert held["long.py"] == git(Path(landing.tree), "rev-parse", f"{landing.base}:long.py")
    assert list(held) == ["long.py", "new.py", "old.py", "run.sh"]


HEADER = "diff --git a/x b/x\nindex 1..2 100644\n--- a/x\n+++ b/x\n"


@given(st.lists(st.lists(st.sampled_from([" a\n", "+b\n", "-c\n", "+@@ d\n", "+diff --git a/y b/y\n"]), min_size=1)))
def test_nothing_is_lost_between_hunks(bodies: list[list[str]]) -> None:
    texts = [f"@@ -{number} +{number} @@\n{''.join(lines)}" for number, lines in enumerate(bodies)]
    hunks = list(split_hunks(HEADER + "".join(texts)))
    assert [hunk.text for hunk in hunks] == (texts or [""])
    assert {(hunk.path, hunk.header) for hunk in hunks} == {("x", HEADER)}

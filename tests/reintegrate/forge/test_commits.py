"""Commits made without a worktree: the same content gives the same commit, and only a person's own line signs it."""

from dataclasses import replace
from pathlib import Path

from kmaint.records.attestation import SignOff
from kmaint.records.change import Landing
from reintegrate.forge.commits import evidence_commit, signed_commit
from tests.reintegrate.forge.conftest import FILE, commit, git

AT = "2026-11-21T05:00:00+00:00"
ADA = "Ada Lovelace <ada@example.org>"


def test_a_record_is_a_commit_without_history(tree: Path) -> None:
    files = {"run.json": "{}\n", "accuracy.txt": "passed\n"}
    made = evidence_commit(tree, files, message="What was found\n", at=AT)
    assert evidence_commit(tree, dict(reversed(files.items())), message="What was found\n", at=AT) == made
    assert git(tree, "rev-list", made) == made
    assert git(tree, "ls-tree", "--name-only", made).split() == ["accuracy.txt", "run.json"]
    assert git(tree, "show", f"{made}:accuracy.txt") == "passed"
    assert git(tree, "status", "--porcelain") == ""


def test_a_sign_off_makes_its_giver_the_author_and_changes_nothing_else(tree: Path) -> None:
    base = git(tree, "rev-parse", "HEAD")
    landed = commit(tree, FILE, "def scale(x):\n    return x + x\n", "Add instead\n\nBecause.\n\n    indented\n")
    landing = Landing(tree=str(tree), branch="main", commit=landed, base=base, diff="", stat="", patch_file="")
    assert signed_commit(landing, None) == landed
    signed = SignOff(reviewer=ADA, patch="", line=f"Signed-off-by: {ADA}", at=AT)
    made = signed_commit(landing, signed)
    assert made == signed_commit(landing, signed) != landed
    assert git(tree, "rev-parse", f"{made}^{{tree}}", f"{made}~1") == git(tree, "rev-parse", f"{landed}^{{tree}}", base)
    assert git(tree, "show", "--no-patch", "--format=%an <%ae>, %cn <%ce>", made) == f"{ADA}, {ADA}"
    assert git(tree, "show", "--no-patch", "--format=%(trailers)", made) == signed.line
    later = signed_commit(landing, replace(signed, at="2026-11-22T05:00:00+00:00"))
    assert later != made

"""A folder for a forge: it holds what the stand-in is sent, byte for byte."""

import json
from pathlib import Path

from kmaint.records.pull_request import Draft
from reintegrate.forge.github import GithubForge
from reintegrate.forge.on_disk import PatchForge
from reintegrate.forge.proposing import propose
from tests.reintegrate.forge.conftest import FORK, git
from tests.reintegrate.forge.standin import StandIn


def test_the_folder_holds_what_would_be_sent(
    draft: Draft, tree: Path, forge: StandIn, github: GithubForge, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    found, outcome = propose(PatchForge(folder), draft, tree)
    assert (outcome, found.address) == ("opened", str(folder / "pull_request.json"))
    propose(github, draft, tree)
    [sent] = forge.pulls[FORK]
    written = json.loads((folder / "pull_request.json").read_text())
    assert written.pop("repository") == FORK
    assert written == {
        "title": sent["title"],
        "body": sent["body"],
        "head": sent["head"]["ref"],
        "base": "main",
        "draft": True,
    }
    assert (folder / "body.md").read_text() == sent["body"]
    assert (folder / "evidence" / "run.json").read_text() == "{}\n"
    git(tree, "switch", "--quiet", "--detach", draft.base_commit)
    git(tree, "apply", "--index", str(folder / "pull_request.patch"))
    assert git(tree, "write-tree") == git(tree, "rev-parse", f"{draft.head.commit}^{{tree}}")
    assert propose(PatchForge(folder), draft, tree)[1] == "unchanged"

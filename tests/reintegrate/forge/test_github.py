"""Drafts on a stand-in that keeps what it is told: opened once, then updated, and each refusal says what to do next."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from kmaint.errors import KmaintError, MissingError, UsageError
from kmaint.records.pull_request import Draft
from reintegrate.forge.github import GithubForge
from reintegrate.forge.proposing import propose
from tests.reintegrate.forge.conftest import FILE, FORK, MARKER, PROJECT, commit, git, rewritten
from tests.reintegrate.forge.standin import RATE_LIMIT, SECONDARY_LIMIT, TOKEN, StandIn, Trouble

AGAIN = "call the same again once it can be: what was sent stays, and nothing is opened twice"


def refused(kind: type[KmaintError], github: GithubForge, draft: Draft, tree: Path) -> str:
    with pytest.raises(KmaintError) as error:
        propose(github, draft, tree)
    assert type(error.value) is kind
    return str(error.value)


def branches(forge: StandIn) -> dict[str, str]:
    lines = git(forge.root / f"{FORK}.git", "for-each-ref", "--format=%(refname:short) %(objectname)", "refs/heads")
    return dict(line.split(" ") for line in lines.splitlines())


def test_a_draft_is_opened_then_updated_then_left_alone(
    github: GithubForge, forge: StandIn, draft: Draft, tree: Path
) -> None:
    found, outcome = propose(github, draft, tree)
    assert (outcome, found.number, found.address) == ("opened", 1, f"{forge.address}/{FORK}/pull/1")
    [kept] = forge.pulls[FORK]
    assert (kept["draft"], kept["title"], kept["body"]) == (True, draft.title, draft.body)
    assert branches(forge)["kmaint/run"] == draft.head.commit
    assert branches(forge)["kmaint-evidence/run"] == draft.evidence.commit
    assert propose(github, draft, tree)[1] == "unchanged"
    later = rewritten(draft, tree)
    assert propose(github, later, tree)[1] == "updated"
    assert [one["body"] for one in forge.pulls[FORK]] == [later.body]
    assert branches(forge)["kmaint/run"] == later.head.commit
    assert forge.pulls[PROJECT] == []


def test_the_marker_finds_the_same_win_on_another_branch(
    github: GithubForge, forge: StandIn, draft: Draft, tree: Path
) -> None:
    forge.add_pull(FORK, body=f"Mine already.\n{MARKER}\n")
    assert refused(UsageError, github, draft, tree) == (
        f"{forge.address}/{FORK}/pull/1 proposes the same win from branch topic-1; close it to have kmaint/run "
        "proposed, or land the run on that branch again"
    )
    assert branches(forge) == {"main": draft.base_commit}


def test_a_search_reads_titles_branches_texts_and_files(github: GithubForge, forge: StandIn) -> None:
    forge.add_pull(PROJECT, title="Rework scale_kernel for sm_100")
    forge.add_pull(PROJECT, title="rescale_kernels")
    forge.add_pull(PROJECT, head={"ref": "faster-scale_kernel", "label": "x:y"})
    forge.add_pull(PROJECT, body=f"Touches `python/{FILE}`.")
    forge.add_pull(PROJECT, files=["README.md", f"python/{FILE}"])
    for _ in range(101):  # a second page
        forge.add_pull(PROJECT)
    forge.add_pull(PROJECT, state="closed", title="scale_kernel")
    found = github.search(PROJECT, ["scale_kernel", FILE])
    assert [(one.pull_request.number, one.where) for one in found.mentions] == [
        (4, "text"),
        (3, "branch"),
        (1, "title"),
    ]
    assert (found.read, found.files_read) == (106, 100)
    del forge.pulls[PROJECT][5:]
    found = github.search(PROJECT, [FILE])
    assert [(one.pull_request.number, one.where) for one in found.mentions] == [
        (5, f"file python/{FILE}"),
        (4, "text"),
    ]


def test_a_rate_limit_says_until_when(github: GithubForge, forge: StandIn, draft: Draft, tree: Path) -> None:
    forge.troubles.append(Trouble("GET", "/pulls", RATE_LIMIT))
    assert refused(MissingError, github, draft, tree) == (
        f"the pull requests of {FORK}: GitHub wants no more requests before 00:00:00 UTC (API rate limit exceeded for "
        "user ID 1.); call the same again then: what was sent stays, and nothing is opened twice"
    )
    assert forge.troubles == []
    assert propose(github, draft, tree)[1] == "opened"


def test_a_secondary_limit_says_how_long(github: GithubForge, forge: StandIn, draft: Draft, tree: Path) -> None:
    forge.troubles.append(Trouble("POST", "/pulls", SECONDARY_LIMIT))
    said = refused(MissingError, github, draft, tree)
    assert said.startswith(f"a new pull request in {FORK}: GitHub wants no more requests before ")
    assert said.endswith("call the same again then: what was sent stays, and nothing is opened twice")
    assert branches(forge)["kmaint/run"] == draft.head.commit
    assert propose(github, draft, tree)[1] == "opened"


def test_an_expired_token_is_said_without_it(github: GithubForge, forge: StandIn, draft: Draft, tree: Path) -> None:
    forge.token = "another"
    assert refused(MissingError, github, draft, tree) == (
        f"the fork {FORK}: GitHub does not take the token (Bad credentials); make a new one and set GITHUB_TOKEN"
    )
    assert branches(forge) == {"main": draft.base_commit}


def test_a_token_that_expires_before_the_push(github: GithubForge, forge: StandIn, draft: Draft, tree: Path) -> None:
    found = github.find(draft)
    forge.token = "another"
    with pytest.raises(MissingError) as error:
        github.push(draft, tree)
    assert found is None
    address = f"{forge.address}/{FORK}.git"
    assert str(error.value) == (
        f"{address}: git's push was refused: fatal: Authentication failed for '{address}/'; the token may have expired "
        "or may not write there: make one that may, and set GITHUB_TOKEN"
    )


def test_a_branch_that_somebody_else_pushed_is_left_alone(
    github: GithubForge, forge: StandIn, draft: Draft, tree: Path
) -> None:
    theirs = commit(tree, "other.py", "", "Theirs")
    git(tree, "push", "--quiet", str(forge.root / f"{FORK}.git"), f"{theirs}:refs/heads/kmaint/run")
    address = f"{forge.address}/{FORK}.git"
    assert refused(UsageError, github, draft, tree) == (
        f"{address}: branch kmaint/run exists, at {theirs[:12]}, which kmaint did not push; delete it there or land on "
        f"another name: 'git push {address} --delete kmaint/run'"
    )
    assert branches(forge)["kmaint/run"] == theirs


def test_a_base_that_moved_matters_where_the_patch_is(
    github: GithubForge, forge: StandIn, draft: Draft, tree: Path
) -> None:
    commit(tree, "other.py", "", "Elsewhere")
    git(tree, "push", "--quiet", str(forge.root / f"{FORK}.git"), "main")
    assert propose(github, draft, tree)[1] == "opened"
    commit(tree, FILE, "def scale(x):\n    return x << 1\n", "Here")
    git(tree, "push", "--quiet", str(forge.root / f"{FORK}.git"), "main")
    assert refused(UsageError, github, draft, tree) == (
        f"{FORK}: {FILE} changed on main since {draft.base_commit[:12]}, where the patch starts; bring a checkout up "
        "to date, see 'kmaint recheck TREE', and land the win there"
    )
    git(tree, "rm", "--quiet", FILE)
    git(tree, "commit", "--quiet", "--message=Gone")
    git(tree, "push", "--quiet", str(forge.root / f"{FORK}.git"), "main")
    assert "changed on main since" in refused(UsageError, github, draft, tree)


def test_a_fork_without_the_base_commit_is_to_be_synced(
    github: GithubForge, forge: StandIn, draft: Draft, tree: Path
) -> None:
    newer = commit(tree, "other.py", "", "Not in the fork yet")
    assert refused(MissingError, github, replace(draft, base_commit=newer), tree) == (
        f"{newer[:12]}...main in {FORK}: not found (Not Found); sync the fork, and land the win in a clone that shares "
        f"its history: {FORK} has no such commit"
    )
    git(tree, "push", "--quiet", str(forge.root / f"{FORK}.git"), f"{newer}:refs/heads/elsewhere")
    assert refused(UsageError, github, replace(draft, base_commit=newer), tree) == (
        f"{FORK}: main does not hold {newer[:12]}, where the patch starts; sync the fork's main with {PROJECT}"
    )


def test_a_text_that_is_too_long_is_refused_before_anything_is_sent(
    github: GithubForge, forge: StandIn, draft: Draft, tree: Path
) -> None:
    assert refused(UsageError, github, replace(draft, body="x" * 65_537), tree) == (
        "the text has 65,537 characters without its folded parts; GitHub takes 65,536; shorten what was brought along "
        "with --evidence"
    )
    assert forge.asked == []


def test_a_fork_that_is_not_there(github: GithubForge, forge: StandIn, draft: Draft, tree: Path) -> None:
    assert refused(MissingError, github, replace(draft, fork="me/nowhere"), tree) == (
        "the fork me/nowhere: not found (Not Found); fork the project on GitHub, or name yours with --fork owner/name"
    )


def test_a_request_that_github_refuses_is_told_in_its_words(
    github: GithubForge, forge: StandIn, draft: Draft, tree: Path
) -> None:
    nothing = replace(draft, head=replace(draft.head, commit=draft.base_commit))
    assert refused(UsageError, github, nothing, tree) == (
        f"a new pull request in {FORK}: GitHub refuses it: Validation Failed: No commits between main and kmaint/run; "
        "change what it names, then call the same again"
    )


@pytest.mark.parametrize("arrives", [False, True])
def test_a_line_that_goes_dead_is_no_reason_for_a_second_pull_request(
    arrives: bool, github: GithubForge, forge: StandIn, draft: Draft, tree: Path
) -> None:
    forge.troubles.append(Trouble("POST", "/pulls", arrives=arrives))
    said = refused(MissingError, github, draft, tree)
    assert said.startswith(f"a new pull request in {FORK}: {forge.address}/api cannot be reached (")
    assert said.endswith(AGAIN)
    assert len(forge.pulls[FORK]) == arrives
    assert propose(github, draft, tree)[1] == ("unchanged" if arrives else "opened")
    assert len(forge.pulls[FORK]) == 1


def test_a_push_that_was_cut_off_goes_through_the_next_time(
    github: GithubForge, forge: StandIn, draft: Draft, tree: Path
) -> None:
    forge.troubles += [Trouble("POST", "/git-receive-pack")] * 3  # curl tries again on a line of its own
    said = refused(MissingError, github, draft, tree)
    assert said.startswith(f"{forge.address}/{FORK}.git: ")
    assert said.endswith("call the same again once it can be reached: nothing is done twice")
    forge.troubles.clear()
    assert propose(github, draft, tree)[1] == "opened"


def test_a_pull_request_that_is_not_ours_or_was_closed_is_left_alone(
    github: GithubForge, forge: StandIn, draft: Draft, tree: Path
) -> None:
    propose(github, draft, tree)
    [kept] = forge.pulls[FORK]
    kept["body"] = "Rewritten by hand."
    address = f"{forge.address}/{FORK}/pull/1"
    assert refused(UsageError, github, draft, tree) == (
        f"{address} is of branch kmaint/run and not kmaint's: it lacks the line {MARKER}; put that line back, or land "
        "the run on another branch with 'kmaint reintegrate --branch'"
    )
    kept.update(body=draft.body, state="closed")
    assert refused(UsageError, github, draft, tree) == (
        f"{address} was closed, which is someone's answer; reopen it to have it updated, or land the run on another "
        "branch with 'kmaint reintegrate --branch'"
    )


def test_nothing_on_disk_holds_the_token(
    github: GithubForge, forge: StandIn, draft: Draft, tree: Path, tmp_path: Path
) -> None:
    """Not even where the user's git is told to keep passwords."""
    propose(github, draft, tree)
    found = [path for path in tmp_path.rglob("*") if path.is_file() and TOKEN.encode() in path.read_bytes()]
    assert found == []


def test_a_server_that_is_not_there(draft: Draft, forge: StandIn, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_API_URL", "http://127.0.0.1:9/api")
    github = GithubForge(TOKEN, lambda line: None)
    said = refused(MissingError, github, draft, tree)
    assert said == f"the fork {FORK}: http://127.0.0.1:9/api cannot be reached (ConnectionError); {AGAIN}"

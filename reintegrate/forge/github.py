"""GitHub, or a server of its kind, through PyGithub; what it answers beside what was asked for ends as one line."""

from __future__ import annotations

import contextlib
import datetime
import os
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kmaint.errors import KmaintError, MissingError, UsageError
from kmaint.records.pull_request import Draft, Mention, PullRequest, Search
from reintegrate.forge import pushing

if TYPE_CHECKING:
    from github.GithubException import GithubException
    from github.PullRequest import PullRequest as Answered
    from github.Repository import Repository

API = ("GITHUB_API_URL", "https://api.github.com")
"""The variable that GitHub's own runners set, and what holds without it."""

FILES_READ = 100
"""Pull requests whose files are read in a search, the last changed first: each costs a request of 5,000 an hour."""

PACE_S = (0.25, 1.0)
"""Between requests, and between those that write, as GitHub asks for."""

AGAIN = "call the same again then: what was sent stays, and nothing is opened twice"


class GithubForge:
    """Pushes to, and opens drafts in, the user's fork; reads the project's pull requests, and writes nothing there."""

    def __init__(self, token: str, progress: Callable[[str], None]) -> None:
        try:
            import github
            import urllib3
        except ImportError as error:
            raise MissingError(f"PyGithub is not installed: {error}", "pip install 'kmaint[pr]'") from error
        # Only what reads is repeated by itself: a write that may have arrived is looked for by the next call.
        patience = urllib3.Retry(
            total=3,
            backoff_factor=0.5,
            status_forcelist=(502, 503, 504),
            allowed_methods=("GET",),
            respect_retry_after_header=False,
            raise_on_status=False,
        )
        self._token, self._progress = token, progress
        self._github = github.Github(
            auth=github.Auth.Token(token),
            base_url=os.environ.get(*API),
            retry=patience,
            per_page=100,
            lazy=True,
            seconds_between_requests=PACE_S[0],
            seconds_between_writes=PACE_S[1],
        )

    def search(self, project: str, words: Sequence[str]) -> Search:
        pattern = re.compile("|".join(rf"(?<!\w){re.escape(word)}(?!\w)" for word in words), re.IGNORECASE)
        mentions, read, files_read = [], 0, 0
        with _answered(f"the open pull requests of {project}"):
            for found in self._github.get_repo(project).get_pulls(state="open", sort="updated", direction="desc"):
                read += 1
                where = _spoken_of(found, pattern)
                if not where and files_read < FILES_READ:
                    files_read += 1
                    where = next(
                        (f"file {one.filename}" for one in found.get_files() if pattern.search(one.filename)), ""
                    )
                if where:
                    mentions.append(Mention(pull_request=_plain(found), where=where))
                if read % 50 == 0:
                    self._progress(f"{project}: {read} open pull requests read")
        return Search(project=project, words=tuple(words), read=read, files_read=files_read, mentions=tuple(mentions))

    def moved(self, draft: Draft) -> tuple[str, ...]:
        with _answered(
            f"the fork {draft.fork}", missing="fork the project on GitHub, or name yours with --fork owner/name"
        ):
            fork = self._github.get_repo(draft.fork).complete()
        unknown = f"sync the fork, and land the win in a clone that shares its history: {draft.fork} has no such commit"
        with _answered(f"{draft.base_commit[:12]}...{draft.base} in {draft.fork}", missing=unknown):
            found = fork.compare(draft.base_commit, draft.base)
            if found.status not in ("identical", "ahead"):
                raise UsageError(
                    f"{draft.fork}: {draft.base} does not hold {draft.base_commit[:12]}, where the patch starts",
                    f"sync the fork's {draft.base} with {draft.project}",
                )
        if found.status == "identical":
            return ()
        # Not from the comparison's own files: it lists 300 at most.
        now = {path: self._content(fork, path, draft.base) for path in draft.touched}
        return tuple(path for path, content in draft.touched.items() if now[path] != content)

    def _content(self, fork: Repository, path: str, branch: str) -> str:
        """git's id of what the file holds there; empty where there is none."""
        from github import UnknownObjectException

        with _answered(f"{path} of {branch} in {fork.full_name}"):
            try:
                found = fork.get_contents(path, ref=branch)
            except UnknownObjectException:
                return ""
        return "" if isinstance(found, list) else found.sha

    def push(self, draft: Draft, tree: Path) -> None:
        pushing.push(tree, draft.fork, (draft.evidence, draft.head), self._token)
        self._progress(f"pushed {draft.head.branch} and {draft.evidence.branch} to {draft.fork}")

    def find(self, draft: Draft) -> PullRequest | None:
        owner = draft.fork.partition("/")[0]
        with _answered(f"the pull requests of {draft.fork}"):
            fork = self._github.get_repo(draft.fork)
            for found in fork.get_pulls(
                state="all", head=f"{owner}:{draft.head.branch}", sort="created", direction="desc"
            ):
                return _plain(found)
            marked = (one for one in fork.get_pulls(state="open") if draft.marker in (one.body or ""))
            return next(map(_plain, marked), None)

    def open(self, draft: Draft) -> PullRequest:
        with _answered(f"a new pull request in {draft.fork}"):
            opened = self._github.get_repo(draft.fork).create_pull(
                base=draft.base, head=draft.head.branch, title=draft.title, body=draft.body, draft=True
            )
            return _plain(opened)

    def update(self, found: PullRequest, draft: Draft) -> PullRequest:
        with _answered(found.address):
            answered = self._github.get_repo(draft.fork).get_pull(found.number)
            answered.edit(title=draft.title, body=draft.body)
            return _plain(answered)


def _plain(found: Answered) -> PullRequest:
    return PullRequest(
        number=found.number,
        address=found.html_url,
        title=found.title,
        body=found.body or "",
        branch=found.head.ref,
        state="open" if found.state == "open" else "closed",
    )


def _spoken_of(found: Answered, pattern: re.Pattern[str]) -> str:
    places = {"title": found.title, "branch": found.head.ref, "text": found.body or ""}
    return next((place for place, text in places.items() if pattern.search(text)), "")


@contextlib.contextmanager
def _answered(what: str, *, missing: str = "check the name, and that the token may see it") -> Iterator[None]:
    """Turn what GitHub or the network says instead of an answer into an error with what to do next."""
    import requests
    from github import GithubException

    try:
        yield
    except GithubException as error:
        raise _explained(what, error, missing) from error
    except requests.RequestException as error:
        host = os.environ.get(*API)
        raise MissingError(
            f"{what}: {host} cannot be reached ({type(error).__name__})",
            "call the same again once it can be: what was sent stays, and nothing is opened twice",
        ) from error


def _explained(what: str, error: GithubException, missing: str) -> KmaintError:
    said, headers = _said(error.data), {name.lower(): value for name, value in (error.headers or {}).items()}
    if error.status in (403, 429) and (limit := _limit(headers)):
        return MissingError(f"{what}: GitHub wants no more requests before {limit} ({said})", AGAIN)
    match error.status:
        case 401:
            return MissingError(
                f"{what}: GitHub does not take the token ({said})", "make a new one and set GITHUB_TOKEN"
            )
        case 403:
            return MissingError(
                f"{what}: the token may not do that ({said})", "give it contents and pull requests, write, of your fork"
            )
        case 404:
            return MissingError(f"{what}: not found ({said})", missing)
        case 422:
            return UsageError(f"{what}: GitHub refuses it: {said}", "change what it names, then call the same again")
        case _:
            return MissingError(f"{what}: GitHub answered {error.status} ({said})", f"wait a little; {AGAIN}")


def _limit(headers: dict[str, str]) -> str:
    """Until when a rate limit holds; empty where the answer is not about one. Secondary limits send Retry-After."""
    if after := headers.get("retry-after"):
        seconds = int(after) if after.isdigit() else 60
        until = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=seconds)
    elif headers.get("x-ratelimit-remaining") == "0" and (reset := headers.get("x-ratelimit-reset", "")).isdigit():
        until = datetime.datetime.fromtimestamp(int(reset), datetime.UTC)
    else:
        return ""
    return f"{until:%H:%M:%S} UTC"


def _said(data: Any) -> str:
    """What an error's body says: its message, and the message or field of each error in it."""
    if not isinstance(data, dict):
        return "without a word"
    errors = [one for one in data.get("errors") or [] if isinstance(one, dict)]
    details = [str(one.get("message") or f"{one.get('field')} is {one.get('code')}") for one in errors]
    return ": ".join([str(data.get("message", "")), *([", ".join(details)] if details else [])])

"""A forge that is a folder: the patch, the text and the request, byte for byte what GitHub would be sent."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kmaint import wire
from kmaint.folder import write_text
from kmaint.records.pull_request import Draft, PullRequest, Search
from reintegrate.repository import git

PATCH, BODY, REQUEST, EVIDENCE = "pull_request.patch", "body.md", "pull_request.json", "evidence"


@dataclass(frozen=True)
class PatchForge:
    """Writes into the folder; needs no network, searches nothing and says so by `read` being 0."""

    folder: Path

    def search(self, project: str, words: Sequence[str]) -> Search:
        return Search(project=project, words=tuple(words), read=0, files_read=0, mentions=())

    def moved(self, draft: Draft) -> tuple[str, ...]:
        del draft
        return ()

    def push(self, draft: Draft, tree: Path) -> None:
        words = ("format-patch", "--stdout", "--no-signoff", "--no-attach", "-1", draft.head.commit)
        write_text(self.folder / PATCH, git(tree, *words) + "\n")
        for name in git(tree, "ls-tree", "--name-only", draft.evidence.commit).splitlines():
            write_text(self.folder / EVIDENCE / name, git(tree, "show", f"{draft.evidence.commit}:{name}") + "\n")

    def find(self, draft: Draft) -> PullRequest | None:
        del draft
        path = self.folder / REQUEST
        if not path.is_file():
            return None
        kept = json.loads(path.read_text())
        return self._pull_request(kept["title"], kept["body"], kept["head"])

    def open(self, draft: Draft) -> PullRequest:
        write_text(self.folder / BODY, draft.body)
        write_text(
            self.folder / REQUEST, wire.text({"repository": draft.fork or None, **request_of(draft)}, indent=1) + "\n"
        )
        return self._pull_request(draft.title, draft.body, draft.head.branch)

    def update(self, found: PullRequest, draft: Draft) -> PullRequest:
        del found
        return self.open(draft)

    def _pull_request(self, title: str, body: str, branch: str) -> PullRequest:
        address = str(self.folder / REQUEST)
        return PullRequest(number=0, address=address, title=title, body=body, branch=branch, state="open")


def request_of(draft: Draft) -> dict[str, str | bool]:
    """What POST /repos/OWNER/NAME/pulls is sent."""
    return {"title": draft.title, "body": draft.body, "head": draft.head.branch, "base": draft.base, "draft": True}

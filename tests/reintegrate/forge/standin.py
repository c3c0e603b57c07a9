"""A forge on the loopback: real bare repositories, real pushes, pull requests that are kept, and trouble on demand.

Every request to its API is held against GitHub's own description; one that GitHub would not take fails the test.
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import os
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from openapi_core import OpenAPI
from openapi_core.exceptions import OpenAPIError
from openapi_core.testing import MockRequest

DESCRIPTION = Path(__file__).parent / "cases" / "github" / "description.json"
TOKEN = "ghp_a_token_that_must_be_found_nowhere"
LONGEST_BODY = 65_536

Pull = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """What is answered, with headers beside the usual ones."""

    status: int
    content: Any
    headers: dict[str, str] = field(default_factory=dict)


class Refusal(Exception):
    """GitHub's way to say no."""

    def __init__(self, status: int, message: str, *errors: str, **headers: str) -> None:
        content: dict[str, Any] = {"message": message}
        if errors:
            content["errors"] = [{"resource": "PullRequest", "code": "custom", "message": error} for error in errors]
        self.answer = Answer(status, content, {name.replace("_", "-"): value for name, value in headers.items()})
        super().__init__(message)


RATE_LIMIT = Refusal(
    403, "API rate limit exceeded for user ID 1.", x_ratelimit_remaining="0", x_ratelimit_reset="4102444800"
)
SECONDARY_LIMIT = Refusal(403, "You have exceeded a secondary rate limit. Please wait a few minutes.", retry_after="60")


@dataclass(frozen=True)
class Trouble:
    """What happens once to the first request of that method whose path ends so: a refusal, or the line goes dead.

    `arrives` says that what was asked for is done before that.
    """

    method: str
    ending: str
    refusal: Refusal | None = None
    arrives: bool = False


class StandIn:
    """The forge's state, and its address."""

    def __init__(self, root: Path) -> None:
        self.root, self.token = root, TOKEN
        self.pulls: dict[str, list[Pull]] = {}
        self.troubles: list[Trouble] = []
        self.asked: list[str] = []
        self.invalid: list[str] = []
        self._description = OpenAPI.from_dict(json.loads(DESCRIPTION.read_text()))
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"

    def serve(self) -> None:
        self._server.serve_forever(poll_interval=0.02)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def add(self, name: str, source: Path) -> Path:
        """A bare repository of that owner/name with what `source` holds."""
        bare = self.root / f"{name}.git"
        bare.parent.mkdir(parents=True, exist_ok=True)
        _git(self.root, "clone", "--quiet", "--bare", "--single-branch", str(source), str(bare))
        _git(bare, "config", "http.receivepack", "true")
        self.pulls[name] = []
        return bare

    def add_pull(self, name: str, **fields: Any) -> Pull:
        """Somebody's pull request; `files` are the paths that it changes."""
        number = len(self.pulls[name]) + 1
        url = f"{self.address}/api/repos/{name}/pulls/{number}"
        pull = {
            "number": number,
            "url": url,
            "html_url": f"{self.address}/{name}/pull/{number}",
            "state": "open",
            "draft": False,
            "body": "",
            "title": "Something else",
            "head": {"ref": f"topic-{number}", "label": f"someone:topic-{number}"},
            "base": {"ref": "main"},
            "files": [],
            **fields,
        }
        self.pulls[name].append(pull)
        return pull

    def trouble(self, method: str, path: str) -> Trouble | None:
        found = next((one for one in self.troubles if one.method == method and path.endswith(one.ending)), None)
        if found:
            self.troubles.remove(found)
        return found

    def answer(self, method: str, target: str, body: bytes) -> Answer:
        """What the API answers. A request that GitHub's description does not allow is noted and refused."""
        parts = urlsplit(target)
        query = dict(parse_qsl(parts.query))
        self._validate(method, parts.path, query, body)
        _, _, owner, repository, *rest = parts.path.split("/")
        name = f"{owner}/{repository}"
        if name not in self.pulls:
            raise Refusal(404, "Not Found")
        given = json.loads(body) if body else {}
        match method, rest:
            case "GET", []:
                return Answer(200, {"full_name": name, "url": f"{self.address}/api/repos/{name}"})
            case "GET", ["compare", basehead]:
                return self._compare(name, *unquote(basehead).split("..."))
            case "GET", ["contents", *path]:
                return self._content(name, unquote("/".join(path)), query["ref"])
            case "GET", ["pulls"]:
                return self._listed(name, query)
            case "POST", ["pulls"]:
                return self._open(name, given)
            case "GET", ["pulls", number]:
                return Answer(200, self._pull(name, number))
            case "PATCH", ["pulls", number]:
                self._pull(name, number).update({key: _short(value) for key, value in given.items()})
                return Answer(200, self._pull(name, number))
            case "GET", ["pulls", number, "files"]:
                return Answer(200, [{"filename": path} for path in self._pull(name, number)["files"]])
            case _:
                raise AssertionError(f"no such request: {method} {target}")

    def _validate(self, method: str, path: str, query: dict[str, str], body: bytes) -> None:
        before, contents, file = path.partition("/contents/")
        whole = f"{before}{contents}{quote(file, safe='')}"
        request = MockRequest("http://127.0.0.1", method, whole, args=query, data=body or None)
        try:
            self._description.validate_request(request)
        except OpenAPIError as error:
            cause = error.__cause__
            details = [one.message for one in getattr(cause, "schema_errors", [])] or [str(cause or error)]
            self.invalid.append(f"{method} {path}: {'; '.join(details)}")
            raise Refusal(422, "Invalid request", *details) from error

    def _compare(self, name: str, base: str, head: str) -> Answer:
        bare = self.root / f"{name}.git"
        try:
            behind, ahead = _git(bare, "rev-list", "--left-right", "--count", f"{base}...{head}").split()
        except subprocess.CalledProcessError as error:
            raise Refusal(404, "Not Found") from error
        words = {(True, True): "diverged", (True, False): "ahead", (False, True): "behind", (False, False): "identical"}
        return Answer(200, {"status": words[ahead != "0", behind != "0"], "files": [], "commits": []})

    def _content(self, name: str, path: str, ref: str) -> Answer:
        try:
            sha = _git(self.root / f"{name}.git", "rev-parse", "--verify", f"{ref}:{path}").strip()
        except subprocess.CalledProcessError as error:
            raise Refusal(404, "Not Found") from error
        return Answer(200, {"type": "file", "path": path, "name": Path(path).name, "sha": sha})

    def _listed(self, name: str, query: dict[str, str]) -> Answer:
        state, head = query.get("state", "open"), query.get("head", "")
        found = [one for one in self.pulls[name] if state in ("all", one["state"])]
        found = [one for one in reversed(found) if not head or head == one["head"]["label"]]
        page, size = int(query.get("page", 1)), int(query.get("per_page", 30))
        shown, headers = found[(page - 1) * size : page * size], {}
        if page * size < len(found):
            following = f"{self.address}/api/repos/{name}/pulls?state={state}&per_page={size}&page={page + 1}"
            headers["Link"] = f'<{following}>; rel="next"'
        return Answer(200, shown, headers)

    def _pull(self, name: str, number: str) -> Pull:
        return self.pulls[name][int(number) - 1]

    def _open(self, name: str, given: dict[str, Any]) -> Answer:
        bare, owner = self.root / f"{name}.git", name.partition("/")[0]
        for side in ("base", "head"):
            if not _git(bare, "branch", "--list", given[side]).strip():
                raise Refusal(422, "Validation Failed", f"{side} is invalid")
        if not _git(bare, "rev-list", f"{given['base']}..{given['head']}").strip():
            raise Refusal(422, "Validation Failed", f"No commits between {given['base']} and {given['head']}")
        label = f"{owner}:{given['head']}"
        if any(one["state"] == "open" and one["head"]["label"] == label for one in self.pulls[name]):
            raise Refusal(422, "Validation Failed", f"A pull request already exists for {label}.")
        kept = {key: _short(given[key]) for key in ("title", "body", "draft")}
        return Answer(201, self.add_pull(name, **kept, head={"ref": given["head"], "label": label}))


def _short(value: Any) -> Any:
    if isinstance(value, str) and len(value) > LONGEST_BODY:
        raise Refusal(422, "Validation Failed", f"body is too long (maximum is {LONGEST_BODY} characters)")
    return value


def _git(folder: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=True).stdout


def _handler(forge: StandIn) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """API under /api, git under the rest."""

        wbufsize = -1  # unbuffered, each header costs 40 ms of Nagle's patience
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            return

        def do_GET(self) -> None:
            self._serve()

        def do_POST(self) -> None:
            self._serve()

        def do_PATCH(self) -> None:
            self._serve()

        def _serve(self) -> None:
            body, path = self._body(), urlsplit(self.path).path
            forge.asked.append(f"{self.command} {path}")
            trouble = forge.trouble(self.command, path)
            if trouble and trouble.refusal:
                return self._send(trouble.refusal.answer)
            if trouble and not trouble.arrives:
                return self._die()
            if path.startswith("/api/"):
                answer = self._api(body)
                return self._die() if trouble else self._send(answer)
            return self._git(body)

        def _api(self, body: bytes) -> Answer:
            try:
                if self.headers.get("Authorization") != f"token {forge.token}":
                    raise Refusal(401, "Bad credentials")
                return forge.answer(self.command, self.path.removeprefix("/api"), body)
            except Refusal as refusal:
                return refusal.answer

        def _git(self, body: bytes) -> None:
            """What `git http-backend` makes of it; only who has the token may ask."""
            expected = base64.b64encode(f"x-access-token:{forge.token}".encode()).decode()
            if self.headers.get("Authorization") != f"Basic {expected}":
                return self._send(Answer(401, {"message": "no"}, {"WWW-Authenticate": 'Basic realm="stand-in"'}))
            parts = urlsplit(self.path)
            environment = {
                "PATH": os.environ["PATH"],
                "GIT_PROJECT_ROOT": str(forge.root),
                "GIT_HTTP_EXPORT_ALL": "1",
                "REMOTE_USER": "owner",
                "REQUEST_METHOD": self.command,
                "PATH_INFO": parts.path,
                "QUERY_STRING": parts.query,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "CONTENT_LENGTH": str(len(body)),
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            }
            words = ["git", "http-backend"]
            done = subprocess.run(words, input=body, env=environment, capture_output=True, check=True).stdout
            head, _, content = done.partition(b"\r\n\r\n")
            headers = dict(line.split(": ", 1) for line in head.decode().splitlines())
            self.send_response(int(headers.pop("Status", "200").split()[0]))
            return self._finish(headers, content)

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding") == "chunked":
                body = b""
                while size := int(self.rfile.readline(), 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
            else:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            return gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body

        def _send(self, answer: Answer) -> None:
            self.send_response(answer.status)
            headers = {"Content-Type": "application/json; charset=utf-8", **answer.headers}
            self._finish(headers, json.dumps(answer.content).encode())

        def _finish(self, headers: dict[str, str], content: bytes) -> None:
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def _die(self) -> None:
            self.close_connection = True
            self.connection.close()

    return Handler


@contextlib.contextmanager
def standing_in(root: Path) -> Iterator[StandIn]:
    """A stand-in that serves for as long as the block lasts; at its end no request may have been an invalid one."""
    root.mkdir(parents=True, exist_ok=True)
    forge = StandIn(root)
    thread = threading.Thread(target=forge.serve, daemon=True)
    thread.start()
    try:
        yield forge
    finally:
        forge.close()
        thread.join()
    assert forge.invalid == []

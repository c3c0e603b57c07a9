"""A program in a walled folder edits what lies there, reaches the network, starts programs, and writes nowhere else."""

from __future__ import annotations

import http.server
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from kmaint.child import clean_environment, run_child
from kmaint.sandbox import NO_WALLS, Level, Sandbox, workspace_walls
from kmaint.sandbox.workspace import _breach

PROGRAM = """
import pathlib, subprocess, sys, urllib.request
print(urllib.request.urlopen(sys.argv[2], timeout=10).status)
subprocess.run([sys.executable, "-c", "open('kernel.py', 'a').write('edited')"], check=True)
try:
    (pathlib.Path(sys.argv[1]) / "outside.txt").write_text("x")
except OSError as error:
    print(type(error).__name__)
"""


@pytest.fixture(scope="module", params=["bubblewrap", "landlock"])
def walls(request: pytest.FixtureRequest) -> Sandbox:
    """Each level that this machine has, forced."""
    level: Level = request.param
    found = workspace_walls(most=level)
    if found.level != level:
        pytest.skip(f"not on this machine: {found.reason}")
    return found


class Here(http.server.BaseHTTPRequestHandler):
    """Answers whatever is asked."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Here) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_it_edits_its_folder_and_reaches_the_network_and_nothing_else(walls: Sandbox, tmp_path: Path, url: str) -> None:
    room = tmp_path / "room"
    room.mkdir()
    (room / "kernel.py").write_text("original ")
    argv = [*walls.around(room, room), sys.executable, "-c", PROGRAM, str(tmp_path), url]
    ended = run_child(argv, timeout_s=60.0, env=clean_environment(), cwd=room)
    assert (ended.code, ended.stdout.split()[0]) == (0, "200"), ended.stderr
    assert ended.stdout.split()[1] in ("PermissionError", "OSError")
    assert (room / "kernel.py").read_text() == "original edited"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["room"]


def test_the_self_test_sees_that_nothing_keeps_anything_in() -> None:
    assert _breach(NO_WALLS) == "it does not keep out: write outside"
    useless = Sandbox(level="landlock", prefix=(sys.executable, "-c", "raise SystemExit('shut')"))
    assert _breach(useless) == "nothing runs in it: shut"

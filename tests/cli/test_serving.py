"""`kmaint mcp` over its standard streams: by the SDK's own client, and word by word as the protocol has it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

pytest.importorskip("mcp")

from mcp import Client
from mcp.client.stdio import StdioServerParameters
from mcp_types import CallToolResult, TextContent

CASES = Path(__file__).parents[1]
TREE = CASES / "cases" / "sglang-0.5.17"
HARNESS = CASES / "evaluate" / "cases" / "merge_state"
SERVER = [sys.executable, "-m", "kmaint", "mcp"]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return Path(shutil.copytree(TREE, tmp_path / "tree"))


def printed(*words: str | Path, cwd: Path) -> dict[str, Any]:
    """What the command prints on a command line of its own."""
    argv = [sys.executable, "-m", "kmaint", *map(str, words), "--format", "json", "-q"]
    found: dict[str, Any] = json.loads(subprocess.run(argv, cwd=cwd, capture_output=True, check=False).stdout)
    return found


def text(result: CallToolResult) -> str:
    (content,) = result.content
    assert isinstance(content, TextContent)
    return content.text


def untimed(found: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in found.items() if name != "seconds"}


def test_the_sdks_client_scans_and_checks_and_reads_what_went_wrong(tree: Path, tmp_path: Path) -> None:
    told: list[tuple[float, str | None]] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        told.append((progress, message))

    async def exchange() -> None:
        server = StdioServerParameters(
            command=SERVER[0], args=[*SERVER[1:], "--state", "state"], env={**os.environ}, cwd=tmp_path
        )
        async with Client(server) as client:
            listed = await client.list_tools()
            assert [tool.name for tool in listed.tools] == ["scan", "extract", "check", "report"]
            found = await client.call_tool("scan", {"tree": str(tree)})
            assert not found.is_error
            assert found.structured_content == json.loads(text(found))
            assert untimed(found.structured_content) == untimed(printed("scan", tree, cwd=tmp_path))
            cut = {"tree": str(tree), "kernel": "sglang/kernels/ops/attention/merge_state.py::_none", "output": "x"}
            found = await client.call_tool("extract", cut)
            assert (found.is_error, "merge_state_kernel" in text(found)) == (True, True)
            (tmp_path / "broken.py").write_text("def (")
            tried = {"harness": str(HARNESS), "files": ["broken.py"], "device": "none"}
            found = await client.call_tool("check", tried, progress_callback=hear)
            verdict = found.structured_content
            assert (verdict["schema"], verdict["verdict"], verdict["codes"]) == (
                "kmaint.check/1",
                "not_built",
                ["syntax"],
            )
            assert not found.is_error, "a rejected candidate is an answer, not an error"
            found = await client.call_tool("report", {"run": ["nothing"]})
            assert found.is_error
            assert (
                text(found)
                == "no run 'nothing' in "
                + str(tmp_path / "state")
                + "; there are no runs yet: 'kmaint optimize' makes one"
            )
            assert found.structured_content["schema"] == "kmaint.error/1"

    anyio.run(exchange)
    assert [number for number, _ in told] and all("] " in (message or "") for _, message in told)


class Wire:
    """One JSON-RPC message a line, both ways."""

    def __init__(self, cwd: Path) -> None:
        self.process = subprocess.Popen(
            SERVER, cwd=cwd, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self.noted: list[dict[str, Any]] = []

    def send(self, **message: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        self.process.stdin.flush()

    def answer(self, number: int) -> dict[str, Any]:
        """The answer of that number; what is notified meanwhile is kept."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            found: dict[str, Any] = json.loads(line)  # each line is a message: nothing else reaches standard output
            assert found["jsonrpc"] == "2.0"
            if found.get("id") == number:
                return found
            self.noted.append(found)
        raise AssertionError(f"it ended before it answered {number}")

    def begin(self) -> dict[str, Any]:
        client = {"name": "by-hand", "version": "1"}
        asked = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client}
        self.send(id=1, method="initialize", params=asked)
        found = self.answer(1)
        self.send(method="notifications/initialized")
        return found

    def end(self) -> int:
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.process.wait(timeout=20)


@pytest.fixture
def wire(tmp_path: Path) -> Iterator[Wire]:
    found = Wire(tmp_path)
    with found.process:
        yield found
        found.process.kill()


def test_word_by_word(wire: Wire, tree: Path, tmp_path: Path) -> None:
    assert wire.begin()["result"]["serverInfo"]["name"] == "kmaint"
    wire.send(id=2, method="tools/list")
    tools = {tool["name"]: tool for tool in wire.answer(2)["result"]["tools"]}
    assert tools["scan"]["annotations"]["readOnlyHint"] is True
    assert tools["check"]["inputSchema"]["required"] == ["harness", "files"]
    wire.send(id=3, method="tools/call", params={"name": "push", "arguments": {}})
    assert wire.answer(3)["error"] == {
        "code": -32602,
        "message": "no tool 'push'; there are scan, extract, check, report",
    }
    wire.send(id=4, method="tools/call", params={"name": "scan", "arguments": {"treee": "x"}})
    said = wire.answer(4)["result"]
    assert (said["isError"], said["content"][0]["text"].partition(";")[0]) == (True, "scan takes no treee")
    called = {"name": "scan", "arguments": {"tree": str(tree), "hot": [str(tmp_path / "none.json")]}}
    wire.send(id=5, method="tools/call", params={**called, "_meta": {"progressToken": "p"}})
    said = wire.answer(5)["result"]
    assert said["isError"] is True
    assert "none.json" in said["content"][0]["text"]
    progress = [one["params"] for one in wire.noted if one["method"] == "notifications/progress"]
    assert progress and all(one["progressToken"] == "p" for one in progress)
    assert "reading" in progress[0]["message"]
    assert wire.end() == 0


def test_what_a_client_leaves_behind_is_killed(wire: Wire, tmp_path: Path) -> None:
    """A call under way ends with the client that asked for it."""
    wire.begin()
    shutil.copytree(HARNESS, tmp_path / "harness")
    shutil.copytree(CASES.parent / "extract" / "runtime", tmp_path / "harness" / "runtime")
    slow = (tmp_path / "harness" / "kernel.py").read_text() + "\nimport time\ntime.sleep(600)\n"
    (tmp_path / "slow.py").write_text(slow)
    called = {"name": "check", "arguments": {"harness": "harness", "files": ["slow.py"], "device": "none"}}
    wire.send(id=2, method="tools/call", params={**called, "_meta": {"progressToken": "p"}})
    until = time.monotonic() + 60
    while not _children(wire.process.pid) and time.monotonic() < until:
        time.sleep(0.05)
    (child,) = _children(wire.process.pid)
    assert wire.end() == 0
    until = time.monotonic() + 10
    while Path(f"/proc/{child}").exists() and time.monotonic() < until:
        time.sleep(0.05)
    assert not Path(f"/proc/{child}").exists()


def _children(pid: int) -> list[str]:
    found = [path.read_text().split() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    return [child for children in found for child in children]


@pytest.mark.slow
def test_the_sdks_client_extracts_a_kernel(tree: Path, tmp_path: Path) -> None:
    async def exchange() -> None:
        async with Client(StdioServerParameters(command=SERVER[0], args=SERVER[1:], cwd=tmp_path)) as client:
            cut = {"tree": str(tree), "kernel": "merge_state_kernel", "output": "harnesses"}
            found = await client.call_tool("extract", cut)
            assert [one["state"] for one in found.structured_content["harnesses"]] == ["ready"]

    anyio.run(exchange)
    assert (tmp_path / "harnesses" / "sglang-merge-state-kernel" / "kernel.py").is_file()

"""The tools over the Model Context Protocol: each call runs a command, and what that prints is what the tool gives.

A call that crashes, hangs or is cancelled takes nothing with it, and nothing but the protocol reaches standard output.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import anyio
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    ToolAnnotations,
)
from mcp_types import Tool as Described

import kmaint
from kmaint.child import follow
from kmaint.cli.tools import TOOLS, Tool, description, find_tool, input_schema, words
from kmaint.config import Config
from kmaint.console import NO
from kmaint.errors import UsageError

INSTRUCTIONS = """Finds, cuts out and judges the GPU kernels of SGLang and vLLM source trees.

scan lists kernels; extract makes one a harness folder that stands alone; edit a copy of its kernel.py inside the region
markers; check takes that copy through the gate and says right, honest and faster, or why not; report writes the page of
a run. Paths are those of this machine. 'kmaint explain CODE' says what each code of a verdict means."""

Context = Any
"""A request's context; its class takes parameters that differ by release of the SDK."""


def serve(config: Config) -> None:
    """Answer on standard input and output until the client goes."""
    anyio.run(_serve, {"KMAINT_STATE": str(config.state.absolute()), "KMAINT_PYTHON": str(config.python)})


async def _serve(settings: Mapping[str, str]) -> None:
    async def list_tools(_context: Context, _params: PaginatedRequestParams | None) -> ListToolsResult:
        return ListToolsResult(tools=[_described(tool) for tool in TOOLS])

    async def call_tool(context: Context, params: CallToolRequestParams) -> CallToolResult:
        tool = find_tool(params.name)
        if tool is None:
            known = ", ".join(tool.name for tool in TOOLS)
            raise MCPError(INVALID_PARAMS, f"no tool {params.name!r}; there are {known}")
        try:
            asked = words(tool, params.arguments or {})
        except UsageError as error:
            return _refused(str(error))
        return await _called(asked, settings, context)

    server = Server[Any](
        "kmaint",
        version=kmaint.__version__,
        instructions=INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())


def _described(tool: Tool) -> Described:
    return Described(
        name=tool.name,
        description=description(tool),
        input_schema=input_schema(tool),
        annotations=ToolAnnotations(
            read_only_hint=not tool.writes, destructive_hint=False, idempotent_hint=True, open_world_hint=False
        ),
    )


async def _called(asked: Sequence[str], settings: Mapping[str, str], context: Context) -> CallToolResult:
    """What the command gives; each line of its progress is passed on as it comes, and a cancelled one is killed."""
    told = 0

    def tell(line: str) -> None:
        nonlocal told
        told += 1
        anyio.from_thread.run(context.session.report_progress, float(told), None, line)

    stopped = threading.Event()
    try:
        return await anyio.to_thread.run_sync(_run, asked, settings, tell, stopped, abandon_on_cancel=True)
    finally:
        stopped.set()


def _run(
    asked: Sequence[str], settings: Mapping[str, str], tell: Callable[[str], None], stopped: threading.Event
) -> CallToolResult:
    lines: list[str] = []

    def hear(line: str) -> None:
        lines.append(line)
        tell(line)

    environment = {**os.environ, **settings, "NO_COLOR": "1"}
    with tempfile.TemporaryFile() as output:  # whole: the scan of a tree is megabytes
        argv = [sys.executable, "-m", "kmaint", *asked]
        code = follow(argv, hear, stdout=output, env=environment, stopped=stopped.is_set)
        output.seek(0)
        text = output.read().decode()
    try:
        found = json.loads(text)
    except ValueError:  # the command line was refused before there was anything to print
        return _refused(lines[-1] if lines else f"kmaint {asked[0]}: exit status {code}")
    if code > NO:
        failure = found["error"]
        return _refused("; ".join(filter(None, (failure["message"], failure["hint"]))), found)
    return CallToolResult(content=[TextContent(type="text", text=text)], structured_content=found)


def _refused(said: str, found: Mapping[str, Any] | None = None) -> CallToolResult:
    """An error of the tool: what is wrong, with which value, and what next, for the caller to read."""
    return CallToolResult(content=[TextContent(type="text", text=said)], structured_content=found, is_error=True)

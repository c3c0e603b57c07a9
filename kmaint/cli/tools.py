"""Commands as tools for editors and coding agents: one table, and what follows from each command's own signature."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Union, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter, ValidationError
from typer.models import ArgumentInfo, OptionInfo

from kmaint.cli import harnesses, runs, trees
from kmaint.errors import UsageError
from kmaint.records.workload import Json

SETTLED = frozenset({"format", "quiet", "python", "state"})
"""What no caller chooses: who starts the server does, or a tool has no use for it."""


@dataclass(frozen=True, kw_only=True)
class Tool:
    """A command that may be called as a tool, without some of its options and with defaults of its own."""

    name: str
    command: Callable[..., None]
    without: frozenset[str] = SETTLED
    defaults: Mapping[str, Json] = field(default_factory=dict)
    writes: bool = True
    """Whether files change: those in the folders that its arguments name, and no others."""


TOOLS = (
    Tool(name="scan", command=trees.scan, without=SETTLED | {"output"}, defaults={"top": 20}, writes=False),
    Tool(name="extract", command=trees.extract_command),
    Tool(name="check", command=harnesses.check),
    Tool(name="report", command=runs.report),
)
"""Nothing that leaves the machine is among them."""


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One argument of a tool; `flags` are an option's, and empty where it goes by its place."""

    name: str
    flags: tuple[str, ...]
    hint: Any
    help: str
    required: bool


def parameters(tool: Tool) -> Iterator[Parameter]:
    """What the tool takes, in the order of its command's signature."""
    hints = get_type_hints(tool.command, include_extras=True)
    for name, parameter in inspect.signature(tool.command).parameters.items():
        hint, declared = get_args(hints[name])[:2]
        flags = _flags(name, hint, declared)
        public = flags[0].lstrip("-") if flags else name
        if public not in tool.without:
            yield Parameter(
                name=public,
                flags=flags,
                hint=_given(hint),
                help=declared.help or "",
                required=parameter.default is inspect.Parameter.empty,
            )


def _flags(name: str, hint: Any, declared: ArgumentInfo | OptionInfo) -> tuple[str, ...]:
    """The long names by which an option is given; of a switch, the one that turns it on first."""
    if isinstance(declared, ArgumentInfo):
        return ()
    # Inside Annotated, typer keeps the first of the names where a default would stand.
    texts = [text for text in (declared.default, *(declared.param_decls or ())) if isinstance(text, str)]
    named = [word for text in texts for word in text.split("/") if word.startswith("--")]
    if named:
        return tuple(named)
    dashed = name.replace("_", "-")
    return (f"--{dashed}", f"--no-{dashed}") if _given(hint) is bool else (f"--{dashed}",)


def _given(hint: Any) -> Any:
    """The type of a value that is given: None stands for one that is not."""
    if get_origin(hint) in (Union, types.UnionType):
        (hint,) = [part for part in get_args(hint) if part is not type(None)]
    return hint


def input_schema(tool: Tool) -> dict[str, Any]:
    """The tool's arguments as JSON Schema."""
    taken = list(parameters(tool))
    return {
        "type": "object",
        "properties": {one.name: _property(one, tool.defaults) for one in taken},
        "required": [one.name for one in taken if one.required],
        "additionalProperties": False,
    }


def _property(one: Parameter, defaults: Mapping[str, Json]) -> dict[str, Any]:
    stated = {"default": defaults[one.name]} if one.name in defaults else {}
    return {**TypeAdapter(one.hint).json_schema(), "description": one.help, **stated}


def description(tool: Tool) -> str:
    """The command's help, as 'kmaint COMMAND --help' has it."""
    return inspect.cleandoc(tool.command.__doc__ or "").replace("\b\n", "")


def find_tool(name: str) -> Tool | None:
    """The tool of that name, if there is one."""
    return next((tool for tool in TOOLS if tool.name == name), None)


def words(tool: Tool, given: Mapping[str, Json]) -> list[str]:
    """The command line that the arguments stand for. UsageError where they do not fit the tool.

    A value can never be read as an option: options carry theirs after `=`, and what goes by its place follows `--`.
    """
    taken = {one.name: one for one in parameters(tool)}
    values = {**tool.defaults, **{name: value for name, value in given.items() if value is not None}}
    if unknown := sorted(values.keys() - taken.keys()):
        raise UsageError(f"{tool.name} takes no {', '.join(unknown)}", f"it takes {', '.join(taken)}")
    if missing := [one.name for one in taken.values() if one.required and one.name not in values]:
        raise UsageError(f"{tool.name} needs {', '.join(missing)}", f"see the description of {tool.name}")
    options, places = [f"{tool.name}", "--format=json"], list[str]()
    for one in taken.values():
        if one.name in values:
            (options if one.flags else places).extend(_words(one, values[one.name]))
    return [*options, "--", *places]


def _words(one: Parameter, value: Json) -> list[str]:
    try:
        checked = TypeAdapter(one.hint).validate_python(value)
    except ValidationError as error:
        wrong = error.errors()[0]["msg"]
        raise UsageError(f"{one.name}: {wrong}, not {value!r}", one.help) from error
    if one.hint is bool:
        return [flag for flag, meant in zip(one.flags, (True, False), strict=False) if meant is checked]
    values = checked if isinstance(checked, list) else [checked]
    return [f"{one.flags[0]}={item}" if one.flags else str(item) for item in values]

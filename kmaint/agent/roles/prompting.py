"""Prompts from their files: pure functions of what they are given."""

from __future__ import annotations

import functools
from pathlib import Path

import jinja2

from kmaint.agent.roles.applying import region_lines
from kmaint.records.harness import Harness

PROMPTS = Path(__file__).parents[1] / "prompts"


def render(name: str, harness: Harness, **shown: object) -> str:
    """The prompt of that name; a template that asks for what it is not given is an error."""
    return _environment().get_template(f"{name}.md.j2").render(harness=harness, **shown)


def numbered(source: str) -> str:
    """The source with its line numbers, as an anchor names them."""
    lines = source.splitlines()
    width = len(str(len(lines)))
    return "\n".join(f"{number:{width}} {line}".rstrip() for number, line in enumerate(lines, start=1))


def regions(source: str) -> list[str]:
    """Each region with its lines, as a sentence names them."""
    return [f"{symbol} (lines {start} to {end})" for symbol, (start, end) in region_lines(source).items()]


@functools.cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(PROMPTS),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - text for a model, not a page
    )

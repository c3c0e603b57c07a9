"""The templates, and how numbers stand in them."""

from __future__ import annotations

from pathlib import Path

import jinja2

from reports import numbers


def template(name: str) -> jinja2.Template:
    """The template of that name; what a page is not given has no place in it: StrictUndefined sees to that."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "us": numbers.microseconds,
        "ratio": numbers.ratio,
        "interval": numbers.interval,
        "percent": numbers.percent,
    }
    return environment.get_template(name)

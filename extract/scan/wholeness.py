"""Why a file with a Python name is no Python, as far as reading it without a parser can tell."""

from __future__ import annotations

import ast
import re
import warnings

from kmaint.records.kernel import Problem

CODING = re.compile(rb"\A(?:[^\n]*\n)?[^\n]*coding[:=]")


def why_no_text(content: bytes, relative: str) -> Problem | None:
    """Bytes that no Python source holds, or None."""
    if b"\0" in content:
        line = content.count(b"\n", 0, content.index(b"\0")) + 1
        return Problem(path=relative, line=line, reason="not Python: source code cannot contain null bytes")
    if content.isascii() or CODING.match(content):
        return None
    try:
        content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return Problem(path=relative, line=line, reason=f"not Python: byte {error.start} is no UTF-8")
    return None


def why_no_syntax(content: bytes, relative: str) -> Problem | None:
    """What the parser says of a file whose strings or brackets do not end; None where that was a misreading."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            ast.parse(content)
        except SyntaxError as error:
            return Problem(path=relative, line=error.lineno, reason=f"not Python: {error.msg}")
        except (ValueError, RecursionError, MemoryError) as error:
            return Problem(path=relative, line=None, reason=f"not Python: {str(error) or 'nested too deeply'}")
    return None

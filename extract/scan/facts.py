"""What one Python file says of kernels, before names are followed into other files."""

from __future__ import annotations

from typing import NamedTuple

from kmaint.records.kernel import Language

Named = dict[str, list[str]]
"""References by the qualified name of what they belong to.

A reference is a name as it is written: `pkg.kernel`; `make()` for what a call of `make` returns; `self.x` has become
`Class.x`. In `uses` alone, `.load` is a method of something unknown.
"""


class PythonKernel(NamedTuple):
    """A compiled function. `is_entry`: its decorator is for what the host launches, not for device code as well."""

    qualname: str
    line: int
    end_line: int
    language: Language
    is_entry: bool
    decorators: tuple[str, ...]
    uses: tuple[str, ...]


class Decorated(NamedTuple):
    """A function under a decorator that may compile it: one of the framework's own."""

    kernel: PythonKernel
    names: tuple[str, ...]


class PythonFacts(NamedTuple):
    """Everything that linking needs of one file, as far as it concerns the names that may be kernels."""

    is_whole: bool
    """False where a string or bracket never ends."""
    imports: dict[str, str]
    stars: list[str]
    functions: dict[str, int]
    """Lines of the functions and methods that no other function encloses."""
    classes: Named
    """Bases of each class."""
    kernels: list[PythonKernel]
    decorated: list[Decorated]
    compilers: dict[str, Language]
    """Functions that compile what they are given: decorators of the framework's own."""
    aliases: Named
    returns: Named
    launches: Named
    passed: Named
    """Names handed to a call: a kernel among them is launched by whoever receives it."""
    calls: Named
    bound: list[tuple[str, str, str]]
    """What `partial` gives functions beside all others: the function, its parameter, and the name given."""


NOTHING = PythonFacts(True, {}, [], {}, {}, [], [], {}, {}, {}, {}, {}, {}, [])


class Module(NamedTuple):
    """A file's dotted name, its path, what it says, and who in it calls what launches in other files."""

    name: str
    path: str
    facts: PythonFacts
    callers: Named

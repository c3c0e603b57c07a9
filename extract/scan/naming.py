"""References as the facts of a file spell them: a dotted name, within its class where it is one's own."""

from __future__ import annotations

from extract.scan.outline import Scope

OWN = ("self", "cls")
MODULE = "<module>"
"""The host of what stands in no function."""


def decoded(name: bytes) -> str:
    return name.rstrip(b".").decode(errors="replace")


def root_of(reference: str) -> str:
    return reference.partition(".")[0].removesuffix("()")


def owner_of(scope: Scope) -> str:
    return scope.parent.qualname if scope.parent is not None and scope.parent.kind == "class" else ""


def of_class(name: str, owner: str) -> str:
    root, _, rest = name.partition(".")
    return f"{owner}.{rest}" if owner and root in OWN and rest else name

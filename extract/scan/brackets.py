"""What brackets tell of code without strings and comments: where a statement ends, and what encloses what."""

from __future__ import annotations

NOT_BRACKETS = bytes(byte for byte in range(256) if byte not in b"()[]{}")


def is_balanced(code: bytes) -> bool:
    """Whether each kind of bracket is closed as often as it is opened."""
    brackets = code.translate(None, NOT_BRACKETS)
    return all(brackets.count(pair[:1]) == brackets.count(pair[1:]) for pair in (b"()", b"[]", b"{}"))


def depth_of(code: bytes) -> int:
    """How many brackets a piece of code opens and does not close; negative where it closes more."""
    brackets = code.translate(None, NOT_BRACKETS)
    closed = brackets.count(b")") + brackets.count(b"]") + brackets.count(b"}")
    return len(brackets) - 2 * closed


def statement_end(code: bytes, start: int, end: int) -> int:
    """The first line break outside brackets after an offset."""
    depth, last = 0, start
    while last < end:
        stop = code.find(b"\n", last + 1, end)
        stop = end if stop < 0 else stop
        depth += depth_of(code[last:stop])
        last = stop
        if depth <= 0:
            break
    return last


def opening_of(code: bytes, start: int, at: int) -> int:
    """Where the bracket opens that closes at an offset; `start` where it does not."""
    depth = 0
    for index in range(at, start - 1, -1):
        byte = code[index]
        if byte in b")]}":
            depth += 1
        elif byte in b"([{":
            depth -= 1
            if not depth:
                return index
    return start

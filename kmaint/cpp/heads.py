"""The heads of C++ functions, classes and namespaces, read without knowing a type: which name is being declared."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

SYMBOL = re.compile(r"[A-Za-z_~]\w*(?:[ \t\\\r\n]*##[ \t\\\r\n]*\w+)*|::|[<>]=|<<|->|[^\s\w\\]", re.ASCII)
NOT_IN_HEADS = "`@$?!.\"'"
"""Outside parentheses these are prose: words about a kernel."""
BRACKET = re.compile(r"(?<=[\w\s])<(?![<=])|(?<!-)>(?!=)|[()]", re.ASCII)
TEMPLATE = re.compile(r"\s*template\s*(?=<)")
NAMESPACE = re.compile(r"\s*(?:inline\s+)?namespace\b(?P<attributes>\s*\[\[[^\]]*\]\])?\s*(?P<name>[\w:]*)", re.ASCII)
CLASS = re.compile(r"\s*(?:(?:typedef|static|const|constexpr|inline)\s+)*(?:class|struct|union)\b(?P<rest>[^;{]*)")
ENUM = re.compile(r"\s*(?:typedef\s+)?enum\b")
DECORATION = re.compile(
    r"\[\[[^\[\]]*\]\]|\b(?:\w*(?:align|ALIGN)\w*|__attribute__|__declspec)\s*\((?:[^()]|\([^()]*\))*\)"
)
CLASS_NAME = re.compile(r"\s*(?P<name>[A-Za-z_]\w*(?:\s*::\s*\w+)*)", re.ASCII)

KEYWORDS = frozenset(
    {"void", "bool", "char", "int", "long", "short", "float", "double", "auto"}
    | {"const", "constexpr", "static", "inline", "extern", "template", "typename", "requires"}
    | {"noexcept", "alignas", "decltype", "sizeof", "explicit", "throw", "if"}
    | {"while", "for", "switch", "return", "catch", "asm"}
)
Kind = Literal["namespace", "class", "function", "other"]


class Head(NamedTuple):
    """What a head declares: `name` as spelled, `scope` what qualifies it there, and where the name stands."""

    name: str
    scope: str
    offset: int


class Ending(NamedTuple):
    """The `{` or `;` that ends a head, with its offset; "" where another head began or the text ended first."""

    mark: str
    offset: int


def read_head(code: str, start: int, end: int) -> tuple[Head | None, Ending]:
    """The function that `code[start:end]` begins to declare, read up to its body, its `;`, or `end`.

    A name with an argument list is a candidate. The last decides, since attributes and the macros that stand for them
    come first; of those behind the list only spellings in capitals or between double underscores are known.
    """
    candidates: list[Head] = []
    stack: list[tuple[str, Head | None]] = []
    word: Head | None = None  # what a `(` or `<` that comes now belongs to
    scope, ending, parentheses, last = "", Ending("", end), 0, ""
    for match in SYMBOL.finditer(code, start, end):
        symbol, offset = match[0], match.start()
        if not stack and (symbol in NOT_IN_HEADS or symbol[0] > "~"):
            ending = Ending("", offset)
            break
        if symbol in "()":
            parentheses = max(0, parentheses + (1 if symbol == "(" else -1))
        if symbol in "{;" and not parentheses:
            ending = Ending(symbol, offset)
            break
        if symbol in "(<[":
            if symbol != "<" or word is not None or last == "template":
                stack.append((symbol, word))
            word = None
        elif symbol in ")>]":
            opened = _pop(stack, symbol)
            word = None
            if opened is not None and not stack:
                if symbol == ">":
                    word = opened
                elif symbol == ")":
                    candidates.append(opened)
        elif symbol == ":" and candidates and not stack:
            candidates = candidates[:1]  # a constructor: what follows are its members
            break
        elif symbol == "::":
            scope, word = (f"{scope}::{word.name}" if scope and word else word.name if word else ""), None
        elif symbol[0].isalpha() or symbol[0] in "_~":
            name = "".join(symbol.replace("\\", " ").split()) if "#" in symbol else symbol
            if scope and not code[max(start, offset - 3) : offset].rstrip().endswith("::"):
                scope = ""
            word = None if name in KEYWORDS else Head(name, scope, offset)
        else:
            word = None
        last = symbol
    return _choose(candidates), ending


def _pop(stack: list[tuple[str, Head | None]], symbol: str) -> Head | None:
    """Whose bracket `symbol` closes. A `<` left open inside parentheses was a comparison, as is a `>` in them."""
    opener = {")": "(", ">": "<", "]": "["}[symbol]
    if symbol == ">":
        return stack.pop()[1] if stack and stack[-1][0] == "<" else None
    while stack:
        mark, word = stack.pop()
        if mark == opener:
            return word
    return None


def _choose(candidates: list[Head]) -> Head | None:
    plain = [head for head in candidates if not (head.name.startswith("__") and head.name.endswith("__"))]
    named = [head for head in plain if not head.name.isupper()]
    chosen = named or plain
    return chosen[-1] if chosen else None


def kind_of(head: str) -> tuple[Kind, str]:
    """What the `{` after `head` opens, and the name of a namespace or class ("" for a nameless one)."""
    head = without_template(head)
    if match := NAMESPACE.match(head):
        return "namespace", match["name"]
    if head.strip() == "extern":  # "C", which is blanked
        return "namespace", ""
    if ENUM.match(head):
        return "other", ""
    plain = DECORATION.sub(" ", head)
    if (match := CLASS.match(plain)) and not plain.rstrip().endswith((")", "const", "noexcept")):
        named = CLASS_NAME.match(match["rest"])
        return "class", "".join(named["name"].split()) if named else ""
    return ("function" if "(" in head else "other"), ""


def without_template(head: str) -> str:
    """A head without the parameter lists of its templates, whose `class` and `=` are not its own."""
    while match := TEMPLATE.match(head):
        depth = inside = 0
        for bracket in BRACKET.finditer(head, match.end()):
            if bracket[0] in "()":
                inside += 1 if bracket[0] == "(" else -1
            elif not inside:
                depth += 1 if bracket[0] == "<" else -1
                if not depth:
                    head = head[bracket.end() :]
                    break
        else:  # a comparison that only a compiler tells from a bracket
            head = head[match.end() :].rpartition(">")[2]
    return head

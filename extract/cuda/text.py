"""C++ as far as cutting asks for it: no comments, the CUDA side of `#if`, includes, and who defines and names what."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

COMMENT_OR_STRING = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"', re.DOTALL)
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"\n]+)[>"]', re.MULTILINE)
CONDITIONAL = re.compile(r"^[ \t]*#[ \t]*(ifdef|ifndef|if|elif|else|endif)\b[ \t]*(.*)$")
DEFINE = re.compile(r"^[ \t]*#[ \t]*define[ \t]+(\w+)((?:[^\n]*\\\n)*[^\n]*)", re.MULTILINE)
DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", re.MULTILINE)
OPEN_SCOPE = re.compile(r"\bnamespace\b[\s\w:]*$|\bextern\s*\"\"\s*$")
ATTRIBUTES = ("__launch_bounds__", "__attribute__", "alignas", "decltype")
ATTRIBUTE = re.compile(r"\b(?:alignas|__align__|__attribute__)\s*\([^()]*(?:\([^()]*\))*\)")
CLASS = re.compile(r"\b(?:struct|class|union)\s+(?:(?:alignas|__align__)\s*\([^)]*\)\s*)?(\w+)")
ALIAS = re.compile(r"\busing\s+(\w+)\s*=")
HEAD_NAME = re.compile(r"([A-Za-z_]\w*|operator[^\s(]*)\s*\(")
WORD = re.compile(r"[A-Za-z_]\w*")
OTHER_PLATFORM = re.compile(r"^(?:\(?defined\)?[ (]*)?(?:USE_ROCM|__HIP_PLATFORM_AMD__|__HIPCC__|USE_MUSA)[ )]*$")


@dataclass(frozen=True)
class Definition:
    """A function, class, alias or macro with the identifiers that its text names."""

    name: str
    words: frozenset[str]


def without_comments(text: str) -> str:
    """The text with every comment blanked; offsets and lines stay."""
    return COMMENT_OR_STRING.sub(lambda m: m[0] if m[0].startswith('"') else _blank(m[0]), text)


def _blank(text: str) -> str:
    return re.sub(r"[^\n]", " ", text)


def cuda_side(text: str) -> str:
    """The text with the branches blanked that only another platform's compiler reads; unknown conditions keep both."""
    lines: list[str] = []
    stack: list[bool | None] = []
    for line in text.splitlines(keepends=True):
        if found := CONDITIONAL.match(line):
            _turn(stack, found[1], found[2].strip())
            lines.append(line)
        else:
            lines.append(_blank(line) if False in stack else line)
    return "".join(lines)


def _turn(stack: list[bool | None], word: str, condition: str) -> None:
    """Each open `#if` is True or False where it is known whether CUDA reads on, else None."""
    match word:
        case "ifdef" | "ifndef" | "if":
            negated = (word == "ifndef") != condition.startswith("!")
            stack.append(negated if OTHER_PLATFORM.match(condition.lstrip("! ")) else None)
        case "elif" | "else" if stack:
            known = stack.pop()
            stack.append(None if known is None or (word == "elif" and not known) else not known)
        case "endif" if stack:
            stack.pop()


def included(text: str) -> Iterator[tuple[str, bool]]:
    """Each include that the CUDA compiler may read, and whether it is quoted."""
    for found in INCLUDE.finditer(cuda_side(without_comments(text))):
        yield found[2], found[1] == '"'


def definitions(text: str) -> list[Definition]:
    """Macros, then functions with bodies, classes and aliases, each of these in order of appearance."""
    plain = cuda_side(COMMENT_OR_STRING.sub(lambda m: '""' if m[0].startswith('"') else _blank(m[0]), text))
    macros = [Definition(found[1], frozenset(WORD.findall(found[2]))) for found in DEFINE.finditer(plain)]
    return macros + list(_bodies(DIRECTIVE.sub(lambda m: _blank(m[0]), plain)))


def _bodies(text: str) -> Iterator[Definition]:
    start = position = 0
    for found in re.finditer(r"[{};]", text):
        if found.start() < position:
            continue
        head = _without_template(text[start : found.start()])
        start = found.end()
        if found[0] == ";" and (named := ALIAS.search(head)):
            yield Definition(named[1], frozenset(WORD.findall(head[named.end() :])))
        elif found[0] == "{" and not OPEN_SCOPE.search(head):
            start = position = closing(text, found.start())
            if name := _defined_name(head):
                words = frozenset(WORD.findall(head)) | frozenset(WORD.findall(text[found.start() : position]))
                yield Definition(name, words - {name})


def _defined_name(head: str) -> str:
    """What the braces after this head define: a class, else a function; empty for an initialiser."""
    if (named := CLASS.search(head)) and "(" not in ATTRIBUTE.sub("", head):
        return named[1]
    return next((name for name in HEAD_NAME.findall(head) if name not in ATTRIBUTES), "")


def _without_template(head: str) -> str:
    """A head without its `template <...>`, whose defaults may hold parentheses."""
    found = re.search(r"\btemplate\s*<", head)
    while found:
        end = closing(head, found.end() - 1, "<>")
        head = head[: found.start()] + head[end:]
        found = re.search(r"\btemplate\s*<", head)
    return head


def closing(text: str, start: int, pair: str = "{}") -> int:
    """The offset after the bracket that closes the one at `start`; the end of the text where none does."""
    depth = 0
    for found in re.compile(f"[{re.escape(pair)}]").finditer(text, start):
        depth += 1 if found[0] == pair[0] else -1
        if depth == 0:
            return found.end()
    return len(text)


def reaching(found: list[Definition], target: str) -> set[str]:
    """Names of the definitions that name the target, directly or through others."""
    reached = {target}
    grown = True
    while grown:
        new = {one.name for one in found if one.name not in reached and not reached.isdisjoint(one.words)}
        reached |= new
        grown = bool(new)
    return reached - {target}

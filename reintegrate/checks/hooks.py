"""A framework's pre-commit hooks, and how those that kmaint knows run without a network.

pre-commit itself is not used: it would fetch each hook's repository. A hook whose program is not installed here, or
that kmaint does not know, is told as not run.
"""

from __future__ import annotations

import importlib.util
import itertools
import json
import re
import shlex
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from kmaint import wire
from kmaint.child import clean_environment, run_child
from kmaint.errors import UsageError

CONFIG = ".pre-commit-config.yaml"
LIMIT_S = 300.0
SUFFIXES = {
    "python": (".py", ".pyi"),
    "pyi": (".pyi",),
    "c++": (".cpp", ".cc", ".h", ".hpp", ".cuh", ".cu", ".inl"),
    "cuda": (".cu", ".cuh"),
    "json": (".json",),
    "yaml": (".yaml", ".yml"),
    "toml": (".toml",),
    "markdown": (".md",),
    "rust": (".rs",),
    "shell": (".sh",),
    "proto": (".proto",),
    "png": (".png",),
    "jupyter": (".ipynb",),
}
"""pre-commit's names of file types, as far as these frameworks use them."""

MANIFESTS = {
    "ruff": ("python", "pyi"),
    "ruff-check": ("python", "pyi"),
    "ruff-format": ("python", "pyi"),
    "isort": ("python", "pyi"),
    "black": ("python", "pyi"),
    "black-jupyter": ("python", "pyi", "jupyter"),
    "check-ast": ("python",),
    "check-json": ("json",),
    "check-yaml": ("yaml",),
    "check-toml": ("toml",),
    "clang-format": ("c++", "cuda"),
    "debug-statements": ("python",),
    "markdownlint-cli2": ("markdown",),
    "nbstripout": ("jupyter",),
    "shellcheck": ("shell",),
    "actionlint": ("yaml",),
    "fmt": ("rust",),
    "clippy": ("rust",),
}
"""Which types a hook takes by its own repository's manifest, which a checkout does not hold."""


@dataclass(frozen=True, kw_only=True)
class Hook:
    """One hook of the configuration, with what of it decides how and on which files it runs."""

    id: str
    repo: str = ""
    rev: str = ""
    entry: str = ""
    args: tuple[str, ...] = ()
    files: str = ""
    exclude: str = "^$"
    types: tuple[str, ...] = ()
    types_or: tuple[str, ...] = ()
    pass_filenames: bool = True
    always_run: bool = False
    stages: tuple[str, ...] = ()
    additional_dependencies: tuple[str, ...] = ()

    def concerns(self, path: str) -> bool:
        """Whether pre-commit would hand it that file."""
        if not re.search(self.files, path) or re.search(self.exclude, path):
            return False
        kinds = (*self.types, *self.types_or) or MANIFESTS.get(self.id, ())
        known = [SUFFIXES.get(kind, ()) for kind in kinds if kind not in ("file", "text")]
        return not known or any(path.endswith(suffixes) for suffixes in known)


def read_hooks(top: Path) -> list[Hook]:
    """The hooks of a repository, in their order; none where it has no configuration. UsageError where it is broken."""
    file = top / CONFIG
    if not file.is_file():
        return []
    try:
        data = yaml.safe_load(file.read_text())
    except yaml.YAMLError as error:
        said = str(error).splitlines()[0]
        raise UsageError(f"{file}: cannot be read: {said}", "mend it: the patch is to pass it") from error
    known = set(Hook.__dataclass_fields__)
    overall = data.get("exclude", "^$")
    return [
        wire.load(
            Hook,
            {
                **{name: value for name, value in hook.items() if name in known},
                "repo": repository["repo"],
                "rev": str(repository.get("rev", "")),
                "exclude": f"(?:{hook.get('exclude', '^$')})|(?:{overall})",
                "files": str(hook.get("files", "")),
            },
        )
        for repository in data.get("repos", ())
        for hook in repository["hooks"]
    ]


@dataclass(frozen=True, kw_only=True)
class Said:
    """What a hook complained of, without line numbers; or why it was not run. `version` is the program's."""

    complaints: tuple[str, ...] = ()
    not_run: str = ""
    version: str = ""


Runner = Callable[[Hook, Path, Sequence[str]], Said]


def run_hook(hook: Hook, top: Path, paths: Sequence[str]) -> Said:
    """What the hook says of the files of a checkout."""
    if hook.repo == "local":
        return _local(hook, top, paths)
    runner = RUNNERS.get(hook.id)
    return runner(hook, top, paths) if runner else Said(not_run="kmaint does not know how to run it without a network")


def ruff(*words: str, top: Path) -> tuple[int, str, str]:
    """Our ruff with the checkout's own configuration: exit status, output, complaints."""
    from ruff import find_ruff_bin

    ended = run_child([find_ruff_bin(), *words], timeout_s=LIMIT_S, cwd=top, env=clean_environment())
    return ended.code, ended.stdout, ended.stderr


def chosen_rules(hook: Hook) -> list[str]:
    """What a hook's arguments say of the rules to be taken, in one word or in two."""
    options, found = ("--select", "--ignore", "--extend-select"), list[str]()
    for word, following in itertools.pairwise((*hook.args, "")):
        if word in options:
            found += [word, following]
        elif word.startswith(tuple(f"{option}=" for option in options)):
            found.append(word)
    return found


def _ruff_check(hook: Hook, top: Path, paths: Sequence[str]) -> Said:
    words = ("check", "--no-cache", "--force-exclude", "--output-format", "json", *chosen_rules(hook), *paths)
    code, out, err = ruff(*words, top=top)
    if code not in (0, 1):
        return Said(not_run=f"ruff: {next(iter(err.strip().splitlines()), 'failed')}")
    found = [f"{Path(one['filename']).relative_to(top)}: {one['code']} {one['message']}" for one in json.loads(out)]
    return Said(complaints=tuple(found), version=_ruff_version(top))


def _ruff_format(_hook: Hook, top: Path, paths: Sequence[str]) -> Said:
    found: list[str] = []
    for path in paths:  # one by one: how ruff names files differs from release to release
        code, _, err = ruff("format", "--no-cache", "--force-exclude", "--check", path, top=top)
        if code not in (0, 1):
            return Said(not_run=f"ruff: {next(iter(err.strip().splitlines()), 'failed')}")
        found += [f"{path}: would be formatted otherwise"] * code
    return Said(complaints=tuple(found), version=_ruff_version(top))


def _ruff_version(top: Path) -> str:
    return ruff("--version", top=top)[1].strip()


def _program(name: str, *words: str) -> Runner:
    """A linter that prints `path:line: complaint` and is installed here, or is not run."""

    def run(hook: Hook, top: Path, paths: Sequence[str]) -> Said:
        beside = Path(sys.executable).with_name(name)
        program = str(beside) if beside.is_file() else shutil.which(name)
        if program is None:
            return Said(not_run=f"{name} is not installed here")
        argv = [program, *words, *(word for word in hook.args if not word.startswith("--verbose")), *paths]
        return _complaints(argv, top)

    return run


def _local(hook: Hook, top: Path, paths: Sequence[str]) -> Said:
    """A Python script of the repository's own, where our interpreter has what it imports."""
    words = shlex.split(hook.entry)
    if len(words) < 2 or words[0] not in ("python", "python3") or not (top / words[1]).is_file():
        return Said(not_run="no Python script of the repository")
    if "mypy" in hook.id:
        return Said(not_run="it type-checks the whole framework, which takes its dependencies")
    modules = [re.split(r"[=<>\[]", one)[0].lower().replace("pyyaml", "yaml") for one in hook.additional_dependencies]
    if lacking := [name for name in modules if importlib.util.find_spec(name.replace("-", "_")) is None]:
        return Said(not_run=f"it imports {lacking[0]}, which is not installed here")
    return _complaints([sys.executable, *words[1:], *hook.args, *(paths if hook.pass_filenames else ())], top)


def _complaints(argv: Sequence[str], top: Path) -> Said:
    ended = run_child(argv, timeout_s=LIMIT_S, cwd=top, env=clean_environment())
    lines = [*ended.stdout.splitlines(), *ended.stderr.splitlines()] if ended.code else []
    return Said(complaints=tuple(re.sub(r":\d+(:\d+)?|\x1b\[\d*m", "", line) for line in lines if line.strip()))


def _in_text(complains: Callable[[str, str], str]) -> Runner:
    """One of pre-commit's own small hooks, as a function of a file's path and text."""

    def run(_hook: Hook, top: Path, paths: Sequence[str]) -> Said:
        said = (complains(path, (top / path).read_text(errors="replace")) for path in paths)
        return Said(complaints=tuple(f"{path}: {one}" for path, one in zip(paths, said, strict=True) if one))

    return run


def _parses(path: str, text: str) -> str:
    try:
        compile(text, path, "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        return f"does not parse: {error.args[0]}"
    return ""


def _trailing(_path: str, text: str) -> str:
    return "trailing white space" if re.search(r"[ \t]+$", text, re.MULTILINE) else ""


def _ends(_path: str, text: str) -> str:
    return "" if not text or (text.endswith("\n") and not text.endswith("\n\n")) else "does not end in one newline"


def _json(_path: str, text: str) -> str:
    try:
        json.loads(text)
    except ValueError as error:
        return f"is no JSON: {error.args[0]}"
    return ""


def _merges(_path: str, text: str) -> str:
    return "holds a conflict marker" if re.search(r"^(<{7} |>{7} )", text, re.MULTILINE) else ""


RUNNERS: dict[str, Runner] = {
    "ruff": _ruff_check,
    "ruff-check": _ruff_check,
    "ruff-format": _ruff_format,
    "isort": _program("isort", "--check-only"),
    "black": _program("black", "--check"),
    "black-jupyter": _program("black", "--check"),
    "codespell": _program("codespell"),
    "typos": _program("typos", "--format", "brief"),
    "clang-format": _program("clang-format", "--dry-run", "--Werror"),
    "check-ast": _in_text(_parses),
    "check-json": _in_text(_json),
    "trailing-whitespace": _in_text(_trailing),
    "end-of-file-fixer": _in_text(_ends),
    "check-merge-conflict": _in_text(_merges),
}

"""Cut GitHub's own description of its REST API down to the requests that kmaint makes.

    npm pack @octokit/openapi && tar xzf octokit-openapi-*.tgz
    python tests/reintegrate/forge/trim.py package

Writes cases/github/description.json and the licence beside it. What is kept of a request is what makes it valid or not;
answers keep their status codes only.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent / "cases" / "github"
KEPT = {
    "/repos/{owner}/{repo}": ("get",),
    "/repos/{owner}/{repo}/compare/{basehead}": ("get",),
    "/repos/{owner}/{repo}/contents/{path}": ("get",),
    "/repos/{owner}/{repo}/pulls": ("get", "post"),
    "/repos/{owner}/{repo}/pulls/{pull_number}": ("get", "patch"),
    "/repos/{owner}/{repo}/pulls/{pull_number}/files": ("get",),
}
PROSE = {"description", "summary", "tags", "externalDocs", "examples", "example", "x-github"}


def main() -> None:
    package = Path(sys.argv[1])
    whole = json.loads((package / "generated" / "api.github.com.json").read_text())
    version = json.loads((package / "package.json").read_text())["version"]
    text = json.dumps(trimmed(whole, version), indent=1, sort_keys=True) + "\n"
    HERE.mkdir(parents=True, exist_ok=True)
    (HERE / "description.json").write_text(text)
    shutil.copyfile(package / "LICENSE", HERE / "LICENSE")


def trimmed(whole: dict[str, Any], version: str) -> dict[str, Any]:
    """The kept operations and whatever they refer to, directly or not."""
    paths = {path: {method: _operation(whole["paths"][path][method]) for method in kept} for path, kept in KEPT.items()}
    components: dict[str, dict[str, Any]] = {}
    waiting = list(_references(paths))
    while waiting:
        _, _, kind, name = waiting.pop().split("/")
        if name not in components.setdefault(kind, {}):
            components[kind][name] = _bare(whole["components"][kind][name])
            waiting += _references(components[kind][name])
    about = {
        "title": f"{whole['info']['title']}, cut from @octokit/openapi {version}",
        "version": whole["info"]["version"],
    }
    return {
        "openapi": whole["openapi"],
        "info": about,
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": components,
    }


def _operation(operation: dict[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {
        name: _bare(operation[name]) for name in ("operationId", "parameters", "requestBody") if name in operation
    }
    return {**kept, "responses": {status: {"description": ""} for status in operation["responses"]}}


def _bare(node: Any) -> Any:
    """Without prose; a property may well be called `description`, so names of properties are let through."""
    if isinstance(node, list):
        return [_bare(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        name: {key: _bare(value) for key, value in item.items()} if name == "properties" else _bare(item)
        for name, item in node.items()
        if name not in PROSE
    }


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for item in node.values():
            yield from _references(item)
    elif isinstance(node, list):
        for item in node:
            yield from _references(item)


if __name__ == "__main__":
    main()

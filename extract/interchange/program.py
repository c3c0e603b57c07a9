"""Makes the small calls of a harness under the Triton interpreter and says what each gave back and changed.

Run in the harness's folder by the target's interpreter. In: one JSON list of cases. Out: one JSON line of answers.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from pathlib import Path
from typing import Any


def main() -> None:
    """Answer {"error", "returned": [[shape, dtype]], "changed": [name]} for each case."""
    os.environ["TRITON_INTERPRET"] = "1"
    sys.path.insert(0, str(Path.cwd()))
    cases, performing = (importlib.import_module(f"runtime.{name}") for name in ("cases", "performing"))
    entry = getattr(importlib.import_module("kernel"), sys.argv[1])
    contract = cases.Contract.read(Path.cwd())
    asked = [cases.Case(seed=1, **axes) for axes in json.loads(sys.stdin.read())]
    answers = [_answer(performing.perform(entry, contract, case, "cpu")) for case in asked]
    sys.stdout.write("\n" + json.dumps(answers) + "\n")


def _answer(outcome: Any) -> dict[str, Any]:
    returned = [leaf for leaf in outcome.leaves if leaf.path.startswith("return")]
    changed = [leaf for leaf in outcome.leaves if leaf.path.startswith("argument ") and leaf.written]
    return {
        "error": outcome.error
        or next((f"returns a {one.value}" for one in returned if one.value not in ("", "None")), ""),
        "returned": [[one.shape, one.dtype.removeprefix("torch.")] for one in returned if one.kind == "tensor"],
        "aliases": [one.alias for one in returned if one.kind == "tensor"],
        "changed": [one.path.removeprefix("argument ") for one in changed if one.kind != "scratch"],
    }


if __name__ == "__main__":
    main()

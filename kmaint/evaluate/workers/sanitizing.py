"""`sanitizing.py FOLDER FILE ENTRY < CASES`: makes the calls of some cases, for compute-sanitizer to watch.

Run in the target's interpreter with the harness folder on the path. Tensors have no red zones here: what is out of
bounds must be out of its allocation for the tool to see it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch
from runtime import building, cases, performing, subject  # type: ignore[import-not-found]


def main(folder: Path, file: Path, entry: str, asked: list[dict[str, Any]], device: str = "cuda") -> int:
    """Call the entry on each case; how many calls came back without an error."""
    building.GUARD = 0
    contract = cases.Contract.read(folder)
    function = getattr(subject.load(file, "kernel"), entry)
    done = 0
    for case in asked:
        call = building.build(contract, cases.Case(**case), device)
        try:
            function(**call.arguments)
        except performing.raised() as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr)  # noqa: T201 - the log of the tool's run
        else:
            done += 1
        if torch.cuda.is_available():
            torch.cuda.synchronize()
    return done


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], json.load(sys.stdin))

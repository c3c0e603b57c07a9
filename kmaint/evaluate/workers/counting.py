"""`counting.py FOLDER FILE ENTRY CASE`: makes one call between the marks at which ncu begins and ends to count.

Run in the target's interpreter with the harness folder on the path. The calls before it compile and tune: what they
launch is not counted. Then it says so, and waits for a line: until the GPU is its own.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import torch
from runtime import building, cases, subject  # type: ignore[import-not-found]

WARMING = 3
"""Calls beforehand: a tuner measures in the first, and some choose once more in the second."""


def main(folder: Path, file: Path, entry: str, axes: dict[str, Any]) -> None:
    """Call the entry on the case, each time with arguments of its own, since a call may write into them."""
    answers = os.dup(1)
    os.dup2(2, 1)
    on_gpu = torch.cuda.is_available()
    contract, case = cases.Contract.read(folder), cases.Case(**axes)
    function = getattr(subject.load(file, "kernel"), entry)
    for _ in range(WARMING):
        function(**_arguments(contract, case, on_gpu=on_gpu))
    arguments = _arguments(contract, case, on_gpu=on_gpu)
    if on_gpu:
        torch.cuda.synchronize()
    os.write(answers, b"ready\n")  # the one line of output: what measured code prints goes to standard error
    sys.stdin.readline()
    if not on_gpu:  # a dry run: nothing is there that counts
        function(**arguments)
        return
    with torch.cuda.profiler.profile():
        function(**arguments)
        torch.cuda.synchronize()


def _arguments(contract: Any, case: Any, *, on_gpu: bool) -> dict[str, Any]:
    found: dict[str, Any] = building.build(contract, case, "cuda" if on_gpu else "cpu").arguments
    return found


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], json.loads(sys.argv[4]))

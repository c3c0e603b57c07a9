"""Judges candidates by one property each, all in one process: `judged.py FOLDER < {candidate: property}`.

The suite's own functions are called as pytest would call them; prints {candidate: first line of the failure, or ""}.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

from hypothesis.errors import FlakyFailure


def main(folder: Path) -> None:
    """Print the verdicts as one JSON object."""
    sys.path.insert(0, str(folder))
    suite = importlib.import_module("test_kernel")
    runtime = importlib.import_module("runtime.suite")
    subject = importlib.import_module("runtime.subject")
    verdicts = {}
    for index, (name, held) in enumerate(json.load(sys.stdin).items()):
        with runtime.opened(folder, ENTRY[folder.name], "cpu") as pair:
            entry = getattr(subject.load(folder / name, f"candidate_{index}"), ENTRY[folder.name])
            candidate = subject.Local(entry, pair.contract, "cpu")
            try:
                getattr(suite, held)(pair=runtime.Pair(pair.original, candidate, pair.contract, "cpu"))
                verdicts[name] = ""
            except AssertionError as error:
                verdicts[name] = str(error).splitlines()[0]
            except FlakyFailure as failures:  # one that gives other bits each time may not fail twice
                verdicts[name] = str(failures.exceptions[0]).splitlines()[0]
    json.dump(verdicts, sys.stdout)


ENTRY = {
    "merge_state": "merge_state_triton",
    "reshape_and_cache": "launch_reshape_and_cache_flash",
    "scale": "scale",
}

if __name__ == "__main__":
    main(Path(sys.argv[1]))

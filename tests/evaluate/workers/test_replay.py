from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import kmaint.evaluate
from kmaint.records.harness import Harness

SCRIPT = """
import types
import torch
from workers.replay import mutated_by

def call(slot):
    arguments = {"x": torch.ones(4), "slot": torch.tensor([slot])}
    buffers = {name: types.SimpleNamespace(raw=value) for name, value in arguments.items()}
    return types.SimpleNamespace(arguments=arguments, buffers=buffers)

def overwrite(x, slot):
    if slot.item():  # slot 0 is padding
        x.add_(1.0)

calls = [call(0), call(2)]
print(sorted(mutated_by(overwrite, calls)), sorted(mutated_by(overwrite, calls[:1])))
print([one.arguments["x"].tolist() for one in calls])
"""


def test_what_a_padded_call_leaves_alone_another_may_change(harness: Harness) -> None:
    """vLLM's causal_conv1d_update on one sequence: where its first set drew the null block, timed calls ran over their
    own results, and an honest candidate was called wrong."""
    paths = [str(harness.folder), str(Path(kmaint.evaluate.__file__).parent)]
    found = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        check=False,
    )
    told, left = found.stdout.splitlines() or ("", "")
    assert told == "['x'] []", found.stderr
    assert left == f"[{[1.0] * 4}, {[1.0] * 4}]", "what it changed is put back"

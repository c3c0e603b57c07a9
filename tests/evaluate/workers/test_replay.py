from __future__ import annotations

from collections.abc import Callable

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


def test_what_a_padded_call_leaves_alone_another_may_change(printed: Callable[[str], list[str]]) -> None:
    """vLLM's causal_conv1d_update on one sequence: where its first set drew the null block, timed calls ran over their
    own results, and an honest candidate was called wrong."""
    told, left = printed(SCRIPT)
    assert told == "['x'] []"
    assert left == f"[{[1.0] * 4}, {[1.0] * 4}]", "what it changed is put back"

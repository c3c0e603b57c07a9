"""What a first look says of results: what rounding may explain is for the gate, what it cannot is told plainly."""

from __future__ import annotations

import json
from collections.abc import Callable

SCRIPT = """
import json, math
import torch
from workers.outputs import disagreement

row = torch.linspace(-1.0, 1.0, 64, dtype=torch.bfloat16).reshape(2, 32)
unwritten = row.clone()
unwritten[0] = math.nan
threshold = row.clone()
threshold[0, 3] = -math.inf
largest = torch.full((2, 32), 65504.0, dtype=torch.float16)
beyond = largest.clone()
beyond[0, 3] = math.inf
zeros = torch.zeros(2, 32, dtype=torch.bfloat16)
tiny = zeros.clone()
tiny[0, 3] = 1.5 * 2.0**-126
holes = row.clone()
holes[0] = 7.0
codes = torch.arange(64, dtype=torch.int8)
pairs = {
    "same": (row, row.clone()),
    "rounded": (row, row * (1 + 2**-7)),
    "off": (row, row * 1.1),
    "plain": (row, row + 1),
    "not written": (row, unwritten),
    "across a threshold": (row, threshold),
    "beyond the largest": (largest, beyond),
    "hardly nothing": (zeros, tiny),
    "few": (row[:, :4], row[:, :4] + 1),
    "nobody's": (unwritten, holes),
    "another type": (row, row.float()),
    "another code": (codes, codes.flip(0)),
}
found = {name: disagreement([[want]], [[got]]) for name, (want, got) in pairs.items()}
print(json.dumps({name: [bool(one.text), one.plainly] for name, one in found.items()}))
"""


def test_only_what_no_rounding_explains_is_plain(printed: Callable[[str], list[str]]) -> None:
    (found,) = printed(SCRIPT)
    agrees, told, plain = [False, False], [True, False], [True, True]
    assert json.loads(found) == {
        "same": agrees,
        "rounded": agrees,
        "off": told,
        "plain": plain,
        "not written": plain,
        "across a threshold": told,
        "beyond the largest": told,
        "hardly nothing": told,
        "few": told,
        "nobody's": agrees,
        "another type": told,
        "another code": told,
    }

"""Which sizes a candidate is asked for because its own source names them."""

from __future__ import annotations

import json
from collections.abc import Callable

from kmaint.records.harness import Harness

SCRIPT = """
import json
from pathlib import Path
from runtime.cases import Contract
from workers.calls import elements
from workers.plan import MOST_AT_CONSTANT, scaled

contract = Contract.read(Path("{folder}"))
found = [
    [case.axes["T"], case.axes["H"], case.axes["D"]]
    for case in scaled(contract, [200, 65536, 1 << 20], 3)
    if elements(contract, case) <= MOST_AT_CONSTANT or print("too many")
]
print(json.dumps(found))
"""


def test_a_number_of_the_source_is_asked_for_with_no_more_than_can_be_had(
    printed: Callable[[str], list[str]], harness: Harness
) -> None:
    """2^16 rows of a workload would be more elements than fit; 2^20 are more than any size asked for."""
    (line,) = printed(SCRIPT.replace("{folder}", str(harness.folder)))
    found = json.loads(line)
    assert found[:3] == [[rows, 2, 128] for rows in (199, 200, 201)]
    assert [rows for rows, _, _ in found[3:]] == [65535, 65536, 65537]
    assert all(heads * width < 2 * 128 for _, heads, width in found[3:])

"""The original beside the code under test: what is asked of whom, and how a test fails."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from extract.runtime.cases import Case
from extract.runtime.judge import Difference
from extract.runtime.outcomes import Outcome
from extract.runtime.suite import Original, check
from kmaint.child import clean_environment
from kmaint.forking.stem import run_with_torch

ROOT = Path(__file__).parents[3]


def test_what_the_original_did_is_asked_once() -> None:
    asked: list[str] = []

    def subject(case: Case, *, how: str = "direct") -> Outcome:
        asked.append(f"{case} {how}")
        return Outcome([])

    original = Original(subject)
    for how in ("direct", "direct", "again"):
        original(Case(T=1), how=how)
    original.anew(Case(T=1))
    assert asked == ["Case(T=1) direct", "Case(T=1) again", "Case(T=1) direct"]


def test_a_failure_says_its_code_and_its_case(tmp_path: Path) -> None:
    source = compile("def test_x():\n    check(found, on=case)\n", str(tmp_path / "test_kernel.py"), "exec")
    names = {"check": check, "found": [Difference("mismatch", "x is 1, not 2")], "case": Case(T=1, layout="rows")}
    exec(source, names)
    with pytest.raises(AssertionError) as caught:
        names["test_x"]()  # type: ignore[operator]
    assert str(caught.value) == "[mismatch] x is 1, not 2; on Case(T=1, layout='rows')"
    assert type(caught.value).__name__ == "mismatch"
    known = json.loads((tmp_path / "failures.json").read_text())
    assert known["test_x [mismatch]"]["layout"] == "rows"
    check([])


PROGRAM = """
import json
from pathlib import Path
import torch, triton, triton.language as tl
from runtime.cases import Case, Contract
from runtime.subject import Local
from runtime.suite import Pair
@triton.jit
def kernel(x, out, stride, n, PAST: tl.constexpr, RACE: tl.constexpr):
    row = tl.program_id(0)
    at = tl.load(x + row * stride + PAST * 3)
    tl.store(out + (0 if RACE else row), at)
def entry(x, past, race, strided):
    out = torch.zeros(x.shape[0])
    kernel[(x.shape[0],)](x, out, x.stride(0) if strided else x.shape[1], x.shape[1], PAST=past, RACE=race)
    return out
x = {"name": "x", "kind": "tensor", "shape": ["3", "2"], "dtype": "float32", "values": "normal", "bound": "",
     "layouts": ["contiguous", "rows"], "strides": [], "when": "True"}
flags = [{**x, "name": n, "kind": "value", "shape": [], "value": "=" + n} for n in ("past", "race", "strided")]
contract = Contract({}, [x, *flags], [], "", "", [])
local = Local(entry, contract, "cpu")
pair = Pair(local, local, contract, "cpu")
found = {}
for name in ("past", "race", "strided"):
    case = Case(**{"past": False, "race": False, "strided": True, name: name != "strided"}, layout="rows")
    found[name] = [pair.reads_only_inside(case), pair.in_any_order(case), pair.wherever_it_lies(case)]
plain = Case(past=False, race=False, strided=True, layout="rows")
found["plain"] = [pair.reads_only_inside(plain), pair.in_any_order(plain), pair.wherever_it_lies(plain)]
print(json.dumps(found))
"""


def test_a_case_without_one_answer_is_known(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    finished = run_with_torch(
        [sys.executable, tmp_path / "program.py"],
        timeout_s=120,
        env=clean_environment({"TRITON_INTERPRET": "1", "PYTHONPATH": str(ROOT / "extract")}),
    )
    found = json.loads(finished.stdout or "{}")
    assert found["plain"] == [True, True, True], finished.stderr
    assert found["race"] == [True, False, True]
    assert found["strided"] == [False, True, False]  # it takes the gaps between rows for elements
    assert found["past"][0] is False

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest

from kmaint.errors import HarnessError
from kmaint.evaluate import Bench
from kmaint.evaluate.rungs.suite import rejected, run_suite
from kmaint.folder import read_harness
from kmaint.records.evaluation import Crashed, Dishonest, TimedOut, Wrong
from kmaint.records.harness import Harness


@pytest.mark.parametrize(
    ("message", "kind", "code", "reason"),
    [
        ("gate.mismatch: [mismatch] return is 1, not 2\nmore", Wrong, "mismatch", "return is 1, not 2"),
        ("[timeout] no answer within 5 s", TimedOut, "timeout", "no answer within 5 s"),
        ("[signal] ended by SIGSEGV", Crashed, "signal", "ended by SIGSEGV"),
        ("[no_kernel_launched] torch does it", Dishonest, "no_kernel_launched", "torch does it"),
        ("ValueError: [nonsense] x", Wrong, "exception", "ValueError: [nonsense] x"),
        ("", Wrong, "exception", "a test failed without a message"),
    ],
)
def test_a_failing_test_s_message_names_the_verdict(message: str, kind: type, code: str, reason: str) -> None:
    found = rejected(message, "log")
    assert isinstance(found, kind)
    assert (found.codes, found.reason, found.log) == ((code,), reason, "log")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (None, "missing, so nothing can be checked; 'kmaint testgen {folder}' writes it"),
        (
            "import pytest\n\n@pytest.mark.skip\ndef test_none(): pass\n",
            "every test is skipped here; run it with a GPU, or write it again",
        ),
    ],
)
def test_a_suite_that_says_nothing(harness: Harness, bench: Bench, tmp_path: Path, text: str | None, why: str) -> None:
    folder = tmp_path / "silent"
    shutil.copytree(harness.folder, folder)
    suite = folder / "test_kernel.py"
    suite.unlink()
    if text is not None:
        suite.write_text(text)
    with pytest.raises(HarnessError) as caught:
        run_suite(read_harness(folder), folder / "kernel.py", bench, on_gpu=False)
    assert str(caught.value) == f"{suite}: {why.format(folder=folder)}"


@pytest.mark.parametrize("threads", [1, 8])
def test_shares_of_a_suite_say_what_the_whole_would(
    harness: Harness, bench: Bench, tmp_path: Path, threads: int
) -> None:
    folder = tmp_path / "shared"
    shutil.copytree(harness.folder, folder)
    fails = {2: "aliased_output", 3: "mismatch"}
    tests = [f"def test_{n}():\n    assert {n not in fails}, '[{fails.get(n, '')}] said by {n}'\n" for n in range(6)]
    (folder / "test_kernel.py").write_text("\n".join(tests))
    wide = dataclasses.replace(bench, threads=threads)
    found = run_suite(read_harness(folder), folder / "kernel.py", wide, on_gpu=False)
    assert found.rejection is not None
    assert (found.rejection.codes, found.rejection.reason, found.by) == (("aliased_output",), "said by 2", "test_2")

    (folder / "test_kernel.py").write_text("\n".join(tests[:2]))
    assert run_suite(read_harness(folder), folder / "kernel.py", wide, on_gpu=False).ran == 2


def test_a_suite_past_its_limit_is_a_verdict(harness: Harness, bench: Bench, tmp_path: Path) -> None:
    folder = tmp_path / "slow"
    shutil.copytree(harness.folder, folder)
    (folder / "test_kernel.py").write_text("import time\n\ndef test_long():\n    time.sleep(60)\n")
    hasty = Bench(**{**vars(bench), "limits_s": {**bench.limits_s, "interpreter": 2.0}})
    found = run_suite(read_harness(folder), folder / "kernel.py", hasty, on_gpu=False).rejection
    assert isinstance(found, TimedOut)
    assert found.reason == "the suite did not end within 2 s"

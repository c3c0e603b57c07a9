from __future__ import annotations

from pathlib import Path

import pytest

from kmaint.evaluate import Bench
from kmaint.evaluate.rungs.facts import Built, compile_all, first_line, original_built, too_large, without_kernel
from kmaint.records.evaluation import Crashed, Dishonest, NotBuilt, TimedOut
from kmaint.records.harness import Harness

BODY = "    num_tokens = output.shape[0]\n"
BROKEN = {
    "unknown": ("tl.maximum(", "tl.maximun("),
    "leaves": (BODY, f"    import os\n    os._exit(3)\n{BODY}"),
    "faults": (BODY, f"    import os, signal\n    os.kill(os.getpid(), signal.SIGSEGV)\n{BODY}"),
    "hangs": (BODY, f"    while True:\n        pass\n{BODY}"),
}
TORCH = """\
    top = torch.maximum(prefix_lse, suffix_lse)
    return torch.empty_like(prefix_output), top
# endregion
"""


def test_each_file_has_its_own_end(harness: Harness, source: str, bench: Bench, tmp_path: Path) -> None:
    quick = Bench(**{**vars(bench), "limits_s": {**bench.limits_s, "compile": 10.0}})
    texts = [source.replace(*edit) for edit in BROKEN.values()]
    texts += [source[: source.index(BODY)] + TORCH, source.replace("padded_head_size,\n", "8 * padded_head_size,\n")]
    files = [tmp_path / f"{n}.py" for n in range(len(texts))]
    for file, text in zip(files, texts, strict=True):
        file.write_text(text)
    unknown, leaves, faults, hangs, torch_only, wide = compile_all(harness, files, quick, tmp_path)

    assert isinstance(unknown, NotBuilt)
    message = "CompilationError: at 22:14: AttributeError(\"module 'triton.language' has no attribute 'maximun'\")"
    assert (unknown.reason, unknown.codes) == (message, ("compile_error",))
    assert isinstance(leaves, Crashed)
    assert leaves.reason == "while compiling: its process ended with exit status 3"
    assert isinstance(faults, Crashed)
    assert (faults.reason, faults.codes) == ("while compiling: its process was ended by SIGSEGV", ("signal",))
    assert isinstance(hangs, TimedOut)
    assert hangs.reason == "while compiling: no answer within 10 s"

    assert isinstance(torch_only, Built)
    original = original_built(harness, bench, tmp_path)
    refused = without_kernel(harness, original, torch_only)
    assert refused is not None
    assert refused.reason == "launches no kernel for workload T4; torch does its work (maximum.default)"
    assert without_kernel(Harness(**{**vars(harness), "compute": "any"}), original, torch_only) is None

    assert isinstance(wide, Built)
    assert [launch.constants["PADDED_HEAD_SIZE"] for launch in wide.launches] == ["1024", "1024"]
    assert without_kernel(harness, original, wide) is None


@pytest.mark.parametrize("value", [{}, {"launches": [{}], "operators": [], "left_out": []}])
def test_what_a_candidate_says_for_the_compiler_is_no_crash_of_ours(
    harness: Harness, source: str, bench: Bench, tmp_path: Path, value: dict[str, object]
) -> None:
    """It finds the file of the answers, gives one of its own and ends the process."""
    line = {"event": "done", "item": 0, "value": value}
    body = (
        "    import json, os\n    for number in range(3, 64):\n        try:\n"
        "            if 'deleted' in os.readlink(f'/proc/self/fd/{number}'):\n"
        f"                os.write(number, json.dumps({line}).encode() + b'\\n')\n"
        "        except OSError:\n            pass\n    os._exit(0)\n"
    )
    file = tmp_path / "candidate.py"
    file.write_text(source.replace(BODY, f"{body}{BODY}"))
    (found,) = compile_all(harness, [file], bench, tmp_path)
    assert isinstance(found, Dishonest)
    assert (found.codes, found.reason) == (("spoofed_result",), "while compiling: gives no launches")


def test_the_original_s_facts(harness: Harness, bench: Bench, tmp_path: Path) -> None:
    built = original_built(harness, bench, tmp_path)
    assert [found.workload for found in built.resources] == ["T4", "T32"]
    assert [launch.programs for launch in built.launches] == [8, 64]
    first = built.resources[0]
    assert (first.kernel, first.arch, first.num_warps) == ("merge_state_kernel", "sm_90", 4)
    # One program is one head of 128 bf16: 32 bits a lane is all there is for 4 warps, which is what a variant can mend.
    assert (first.load_bits, first.store_bits, first.spill_bytes, first.shared_bytes) == (32, 32, 0, 0)
    assert 0 < first.registers < 64
    assert built.operators == built.left_out == ()
    assert too_large(built) is None


def test_what_does_not_fit(harness: Harness, bench: Bench, tmp_path: Path) -> None:
    built = original_built(harness, bench, tmp_path)
    launch = built.launches[0]
    big = type(launch)(
        **{**vars(launch), "resources": type(launch.resources)(**{**vars(launch.resources), "shared_bytes": 240000})}
    )
    refused = too_large(Built(launches=(big,), operators=(), left_out=()))
    assert refused is not None
    assert refused.reason == "merge_state_kernel needs 240000 bytes of shared memory, and sm_90 has 232448"


def test_what_torch_alone_computes_is_a_librarys(harness: Harness, bench: Bench, tmp_path: Path) -> None:
    own = original_built(harness, bench, tmp_path).launches
    assert Built(launches=(), operators=("aten::mm",), left_out=()).is_library
    assert not Built(launches=own, operators=("aten::mm",), left_out=()).is_library
    assert not Built(launches=(), operators=("aten::mm",), left_out=("T64 was not compiled",)).is_library
    assert not Built(launches=(), operators=(), left_out=()).is_library


def test_the_line_that_says_what_is_wrong() -> None:
    assert first_line("at 3:7:\n    x = y\n        ^\nNameError('y')") == "at 3:7: NameError('y')"
    assert first_line("plain\nmore") == "plain"
    assert first_line("") == "no message"

"""Several rows per program: the example as text, and variants of real kernels against the originals, run."""

from __future__ import annotations

import itertools
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from kmaint.agent.transforms.base import NotApplicable, Subject
from kmaint.agent.transforms.tile_programs import TILE_PROGRAMS
from kmaint.child import clean_environment
from kmaint.forking.stem import run_with_torch
from kmaint.records.evaluation import Resources
from kmaint.records.workload import Contract

HERE = Path(__file__).parent
ROOT = HERE.parent.parent.parent
CONTRACT = Contract(axes=(), arguments=())
SIZES = (0, 1, 3, 8, 9)
MERGE = [
    {"T": T, "H": H, "D": D, "DT": DT, "values": values, "seed": T + H}
    for (T, H), D, DT, values in zip(
        itertools.product(SIZES, (1, 5, 32)),
        itertools.cycle((16, 80, 128)),
        itertools.cycle(("float32", "bfloat16")),
        itertools.cycle(("normal", "infinite", "zeros", "nan")),
        strict=False,
    )
]


def apply(source: str, kernel: str, entry: str) -> list[str]:
    subject = Subject(source=source, kernel=kernel, entry=entry, contract=CONTRACT)
    return [variant.source for variant in TILE_PROGRAMS.apply(subject)]


def test_first_variant_of_the_example_is_its_after() -> None:
    assert apply(TILE_PROGRAMS.before, "kernel", "launch")[0] == TILE_PROGRAMS.after


LOOP = TILE_PROGRAMS.before.replace("    tl.store(", "    for _ in range(2):\n        pass\n    tl.store(", 1)


def test_a_loop_s_rows_are_ruled_out_by_the_registers_that_one_takes() -> None:
    def notes(today: Resources | None) -> list[str]:
        subject = Subject(source=LOOP, kernel="kernel", entry="launch", contract=CONTRACT, resources=today)
        return [variant.note for variant in TILE_PROGRAMS.apply(subject)]

    takes_72 = Resources(
        kernel="kernel",
        arch="sm_90",
        registers=72,
        shared_bytes=0,
        spill_bytes=0,
        load_bits=128,
        store_bits=128,
        instructions=200,
        num_warps=4,
        num_stages=3,
        workload="T64",
    )
    assert "8 rows of program axis 0 per program, num_warps=2" in notes(None)
    few = notes(takes_72)
    assert "4 rows of program axis 0 per program, num_warps=4" in few
    assert "2 rows of program axis 0 per program, num_warps=2" in few
    assert not any("num_warps=1" in note or note.startswith(("8 ", "16 ", "32 ")) for note in few)


def run_variants(tmp_path: Path, harness: Path, names: tuple[str, str], cases: list[dict[str, Any]]) -> list[str]:
    """Differences that the variants show; two row counts along each axis: one divides most sizes, one few."""
    kernel, entry = names
    folder = Path(shutil.copytree(harness, tmp_path / "harness"))
    shutil.rmtree(folder / "runtime", ignore_errors=True)
    shutil.copytree(ROOT / "extract" / "runtime", folder / "runtime")
    subject = Subject(source=(folder / "kernel.py").read_text(), kernel=kernel, entry=entry, contract=CONTRACT)
    variants = tmp_path / "variants"
    variants.mkdir()
    for number, variant in enumerate(TILE_PROGRAMS.apply(subject)):
        if "num_warps" not in variant.note and variant.note.startswith(("2 ", "8 ")):
            (variants / f"variant_{number:02}.py").write_text(variant.source)
    drawn = tmp_path / "cases.jsonl"
    drawn.write_text("\n".join(json.dumps(case) for case in cases))
    environment = clean_environment({"TRITON_INTERPRET": "1"})
    words: list[str | Path] = [sys.executable, HERE / "run_variants.py", folder, entry, variants, drawn]
    done = run_with_torch(words, timeout_s=250, env=environment)
    assert done.code == 0, done.stderr
    *found, last = done.stdout.splitlines()
    assert last == f"ran {len(cases)} cases"
    return found


def test_variants_of_merge_state_do_what_it_does(tmp_path: Path) -> None:
    """Along both axes, heads and tokens; infinite and NaN lse included."""
    names = ("merge_state_kernel", "merge_state_triton")
    assert run_variants(tmp_path, ROOT / "tests" / "agent" / "cases" / "merge_state", names, MERGE) == []


def test_an_early_return_becomes_a_mask(tmp_path: Path) -> None:
    """A cache write leaves the slots alone that padding tokens (-1) and rows past the end would have written."""
    sizes = [{"T": T, "values": values, "seed": T} for T in SIZES for values in ("normal", "small")]
    harness = ROOT / "tests" / "testgen" / "cases" / "reshape_and_cache"
    axes = json.loads((harness / "workloads.json").read_text())["workloads"][0]["axes"]
    cases = [{**axes, **size} for size in sizes]
    names = ("reshape_and_cache_flash", "launch_reshape_and_cache_flash")
    assert run_variants(tmp_path, harness, names, cases) == []


REFUSED = {
    "a loop whose bounds differ between rows": (
        "    row = tl.program_id(0)\n"
        "    for column in range(0, row):\n"
        "        tl.store(out_ptr + row * N + column, 1.0)\n"
    ),
    "a loop whose end differs between rows": (
        "    row = tl.program_id(0)\n"
        "    found = 0\n"
        "    while found == 0:\n"
        "        found += tl.load(x_ptr + row)\n"
        "        tl.store(out_ptr + row, found)\n"
    ),
    "it takes several rows a program already": (
        "    ROWS_PER_PROGRAM: tl.constexpr = 1\n    tl.store(out_ptr + tl.program_id(0), 1.0)\n"
    ),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_what_does_not_apply_says_why(reason: str) -> None:
    head, rest = TILE_PROGRAMS.before.split("    row = tl.program_id(0)\n")
    source = head + REFUSED[reason] + "\n\ndef launch" + rest.split("def launch")[1]
    with pytest.raises(NotApplicable, match=reason):
        apply(source, "kernel", "launch")


FORMS = {name: f"launch_{name}" for name in ("branches", "clash", "carried", "crosswise", "choices")}
REAL = {
    "fused_rmsnorm_kernel": "fused_rmsnorm",
    "silu_and_mul_kernel": "silu_and_mul_triton",
    "_triton_mrope_forward_fused": "triton_mrope_fused",
    "_per_token_group_quant_8bit": "_per_token_group_quant_8bit_raw",
}


@pytest.mark.parametrize(("file", "launchers"), [("tile_forms.py", FORMS), ("sglang_rows.py", REAL)])
def test_variants_agree_on_any_shape(tmp_path: Path, file: str, launchers: dict[str, str]) -> None:
    """Rows from none to more than two programs take, widths that are no power of two."""
    path = HERE / "cases" / file
    for kernel, entry in launchers.items():
        subject = Subject(source=path.read_text(), kernel=kernel, entry=entry, contract=CONTRACT)
        for number, variant in enumerate(TILE_PROGRAMS.apply(subject)):
            if "num_warps" not in variant.note and variant.note.startswith(("2 ", "8 ")):
                (tmp_path / f"{entry}.{number:02}.py").write_text(variant.source)
    environment = clean_environment({"TRITON_INTERPRET": "1"})
    done = run_with_torch([sys.executable, HERE / "run_tiles.py", path, tmp_path, "12"], timeout_s=250, env=environment)
    assert done.code == 0, done.stderr
    assert done.stdout == f"{2 * len(launchers)} variants agree\n"

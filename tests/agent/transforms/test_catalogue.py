"""Each transform's example as text, run, and compiled for sm_90; and every transform on six real files."""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kmaint.agent.transforms.base import Edited, NotApplicable, Subject, Transform
from kmaint.agent.transforms.catalogue import TRANSFORMS
from kmaint.child import clean_environment
from kmaint.forking.stem import run_with_torch
from kmaint.records.workload import Contract

HERE = Path(__file__).parent
CONTRACT = Contract(axes=(), arguments=())
SHARED = tuple(transform for transform in TRANSFORMS if "def launch(x: torch.Tensor)" in transform.before)
REAL = (
    ("sglang_merge_state.py", "merge_state_kernel", "merge_state_triton"),
    ("sglang_rmsnorm_onepass.py", "_rms_norm_tiled_onepass", "_triton_one_pass_rms_norm_cuda"),
    ("sglang_zimage_native_norm.py", "_rmsnorm_scale_kernel", "zimage_rmsnorm_scale"),
    ("vllm_logprob.py", "_topk_log_softmax_kernel", "compute_token_logprobs"),
    ("vllm_logprob.py", "_ranks_kernel", "compute_topk_scores"),
    ("vllm_merge_attn_states.py", "merge_attn_states_kernel", "merge_attn_states"),
    ("vllm_min_p.py", "_min_p_kernel", "apply_min_p"),
)


ANYWHERE = {"cache_hints", "register_cap"}
"""Whatever loads tiles can be given these."""


def example(transform: Transform) -> Subject:
    return Subject(source=transform.before, kernel="kernel", entry="launch", contract=CONTRACT)


@pytest.mark.parametrize("transform", SHARED, ids=lambda transform: transform.name)
def test_first_variant_of_the_example_is_its_after(transform: Transform) -> None:
    assert transform.apply(example(transform))[0].source == transform.after


ROWS = {
    "fused_rmsnorm_kernel": "fused_rmsnorm",
    "silu_and_mul_kernel": "silu_and_mul_triton",
    "_triton_mrope_forward_fused": "triton_mrope_fused",
    "_per_token_group_quant_8bit": "_per_token_group_quant_8bit_raw",
}
"""Launchers that run_tiles.py knows how to call; the first may differ in its last bits."""


def test_first_variants_of_real_launchers_compute_the_same(tmp_path: Path) -> None:
    """On shapes that Hypothesis draws; rows per program and launch parameters have tests of their own."""
    path = HERE / "cases" / "sglang_rows.py"
    applied = set()
    for kernel, entry in ROWS.items():
        subject = Subject(source=path.read_text(), kernel=kernel, entry=entry, contract=CONTRACT)
        for transform in SHARED:
            exact = not transform.rounding or entry == "fused_rmsnorm"
            if exact and transform.name not in ("tile_programs", "launch_parameters"):
                for variant in variants_or_none(transform, subject)[:1]:
                    (tmp_path / f"{entry}.{transform.name}.py").write_text(variant.source)
                    applied.add(transform.name)
    environment = clean_environment({"TRITON_INTERPRET": "1"})
    done = run_with_torch([sys.executable, HERE / "run_tiles.py", path, tmp_path, "3"], timeout_s=250, env=environment)
    assert done.code == 0, done.stderr
    assert done.stdout == f"{len(list(tmp_path.glob('*.py')))} variants agree\n"
    assert {"early_loads", "persistent_programs", "rsqrt", "reciprocal", "full_masks", "constant_strides"} <= applied


def test_names_are_unique_and_every_page_is_filled_in() -> None:
    assert len({transform.name for transform in TRANSFORMS}) == len(TRANSFORMS)
    for transform in TRANSFORMS:
        assert transform.why[0].isupper() and transform.why.endswith(".")
        assert transform.precondition.endswith(".") and transform.addresses


def test_examples_and_all_their_variants_compute_the_same(tmp_path: Path) -> None:
    for transform in SHARED:
        (tmp_path / f"{transform.name}.before.py").write_text(transform.before)
        for number, variant in enumerate(transform.apply(example(transform))):
            (tmp_path / f"{transform.name}.{number:02}.py").write_text(variant.source)
    environment = clean_environment({"TRITON_INTERPRET": "1"})
    done = run_with_torch([sys.executable, HERE / "run_examples.py", tmp_path], timeout_s=250, env=environment)
    assert done.code == 0, done.stderr
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert {item["name"] for item in results} == {transform.name for transform in SHARED}
    rounding = {transform.name for transform in SHARED if transform.rounding}
    for item in results:
        assert item["difference"] <= (1e-6 if item["name"] in rounding else 0.0), item


def test_examples_compile_for_sm_90(tmp_path: Path) -> None:
    for transform in SHARED:
        (tmp_path / f"{transform.name}.py").write_text(transform.after)
    environment = clean_environment({"TRITON_CACHE_DIR": str(tmp_path / "cache")})
    done = run_with_torch([sys.executable, HERE / "compile_examples.py", tmp_path], timeout_s=200, env=environment)
    assert done.code == 0, done.stderr


def real_subjects() -> Iterator[Subject]:
    for file, kernel, entry in REAL:
        source = (HERE / "cases" / file).read_text(encoding="utf-8")
        yield Subject(source=source, kernel=kernel, entry=entry, contract=CONTRACT)


@pytest.mark.parametrize("subject", list(real_subjects()), ids=lambda subject: subject.kernel)
def test_on_real_kernels_a_transform_applies_or_says_why_not(subject: Subject) -> None:
    for transform in SHARED:
        for variant in variants_or_none(transform, subject):
            assert variant.source != subject.source
            assert entry_signature(variant.source, subject.entry) == entry_signature(subject.source, subject.entry)
            assert variant.note and 1 <= variant.anchor[0] <= variant.anchor[1]


def entry_signature(source: str, entry: str) -> str:
    functions = [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef) and node.name == entry]
    return ast.dump(functions[0].args)


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        (
            "sglang_merge_state.py",
            {"tile_programs", "launch_parameters", "early_loads", "full_masks", "grid_mapping", "exp2_for_exp"},
        ),
        (
            "vllm_min_p.py",
            {"tile_programs", "launch_parameters", "one_pass", "index_width", "pipelined_loops", "constant_strides"},
        ),
    ],
)
def test_which_transforms_apply_to_a_real_kernel(file: str, expected: set[str]) -> None:
    kernel, entry = next((kernel, entry) for name, kernel, entry in REAL if name == file)
    source = (HERE / "cases" / file).read_text(encoding="utf-8")
    subject = Subject(source=source, kernel=kernel, entry=entry, contract=CONTRACT)
    assert {transform.name for transform in SHARED if variants_or_none(transform, subject)} == expected | ANYWHERE


def variants_or_none(transform: Transform, subject: Subject) -> list[Edited]:
    try:
        return transform.apply(subject)
    except NotApplicable:
        return []

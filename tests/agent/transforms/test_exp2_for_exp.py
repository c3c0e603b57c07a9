"""The scale is folded where scores meet in maxima and differences alone, and nowhere else."""

from __future__ import annotations

from kmaint.agent.transforms.base import Subject
from kmaint.agent.transforms.exp2_for_exp import apply
from kmaint.records.workload import Contract

ATTENTION = """\
import torch
import triton
import triton.language as tl


@triton.jit
def kernel(q_ptr, k_ptr, v_ptr, o_ptr, n, sm_scale, BLOCK: tl.constexpr, D: tl.constexpr):
    d = tl.arange(0, D)
    q = tl.load(q_ptr + tl.arange(0, 16)[:, None] * D + d[None, :])
    m = tl.full([16], float("-inf"), tl.float32)
    l = tl.zeros([16], tl.float32)
    acc = tl.zeros([16, D], tl.float32)
    for start in range(0, n, BLOCK):
        t = start + tl.arange(0, BLOCK)
        k = tl.load(k_ptr + t[None, :] * D + d[:, None], mask=t[None, :] < n, other=0.0)
        v = tl.load(v_ptr + t[:, None] * D + d[None, :], mask=t[:, None] < n, other=0.0)
        qk = tl.dot(q, k)
        qk *= sm_scale
        qk = tl.where(t[None, :] < n, qk, float("-inf"))
        m_new = tl.maximum(tl.max(qk, 1), m)
        alpha = tl.exp(m - m_new)
        p = tl.exp(qk - m_new[:, None])
        acc = acc * alpha[:, None] + tl.dot(p, v)
        l = l * alpha + tl.sum(p, 1)
        m = m_new
    acc = acc / l[:, None]
    tl.store(o_ptr + tl.arange(0, 16)[:, None] * D + d[None, :], acc)
"""
PLAIN = "tl.exp2(x * LOG2E) for tl.exp(x)"
FOLDED = "tl.exp2 with log2(e) folded into the scale of the scores"


def variants(source: str) -> dict[str, str]:
    subject = Subject(source=source, kernel="kernel", entry="launch", contract=Contract(axes=(), arguments=()))
    return {variant.note: variant.source for variant in apply(subject)}


def test_an_online_softmax_takes_the_factor_into_its_scale() -> None:
    folded = ATTENTION.replace("tl.exp(", "tl.exp2(").replace("qk *= sm_scale", "qk *= scale_log2")
    loop = "    for start in"
    assert variants(ATTENTION)[FOLDED] == folded.replace(
        loop, f"    scale_log2 = sm_scale * 1.4426950408889634\n{loop}"
    )


def test_a_maximum_that_is_stored_keeps_its_units() -> None:
    stored = ATTENTION + "    tl.store(o_ptr + 16 * D + tl.arange(0, 16), m)\n"
    assert list(variants(stored)) == [PLAIN]


def test_a_bias_added_to_the_scores_keeps_its_units() -> None:
    assert list(variants(ATTENTION.replace("        m_new =", "        qk += 1.0\n        m_new ="))) == [PLAIN]


def test_a_score_read_before_it_is_scaled_keeps_its_units() -> None:
    early = ATTENTION.replace("        qk *= sm", "        top = tl.max(qk, 1)\n        qk *= sm")
    assert list(variants(early)) == [PLAIN]


def test_one_exponential_inside_another_is_rewritten_too() -> None:
    nested = ATTENTION.replace("tl.exp(m - m_new)", "tl.exp(tl.exp(m))")
    assert "tl.exp2(tl.exp2(m * LOG2E) * LOG2E)" in variants(nested)[PLAIN]

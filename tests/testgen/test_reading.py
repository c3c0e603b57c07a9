"""Which sizes a kernel's text speaks of."""

from __future__ import annotations

import pytest

from testgen.reading import boundaries


@pytest.mark.parametrize(
    ("source", "sizes"),
    [
        ("def launch(x):\n    if x.shape[0] <= 96:\n        pass\n", {96}),
        ("CONFIGS = [triton.Config({'BLOCK_M': 128}, num_warps=4)]\n", {128}),
        ("kernel[grid](x, BLOCK_SIZE=512, num_warps=2)\n", {512, 64}),
        ("BLOCK_N = min(1024, triton.next_power_of_2(N))\n", {1024}),
        ("def kernel(x, TILE: tl.constexpr = 256, eps=1e-6, n: tl.constexpr = 7): ...\n", {256}),
        ("x = 4096\ny = f(777)\nBLOCK_D = True\n", set()),
    ],
)
def test_blocks_configurations_and_thresholds_are_found(source: str, sizes: set[int]) -> None:
    assert set(boundaries(source)) == {8, 32} | sizes

from __future__ import annotations

from extract.deriving.alone.site import Stride, read_sites

LAUNCHER = """
GROUP = 128
def quantize(x, bias=None):
    M, N = x.shape
    out = torch.empty((M, N), dtype=torch.int8, device=x.device)
    scales = torch.empty((M, N // GROUP), dtype=torch.float32)
    BLOCK = triton.next_power_of_2(N)
    grid = (M, triton.cdiv(N, GROUP))
    quantize_kernel[grid](
        x, out, scales, bias, x.stride(0), out.stride(-2), N, GROUP, 1e-10,
        HAS_BIAS=bias is not None, BLOCK=BLOCK, num_warps=8,
    )
"""
PARAMETERS = ["x", "out", "scales", "bias", "sx", "so", "N", "GROUP", "eps", "HAS_BIAS", "BLOCK"]


def test_a_launch_tells_strides_sizes_dtypes_and_grid() -> None:
    (site,) = read_sites([LAUNCHER], "quantize_kernel", PARAMETERS, ["x", "out", "scales", "bias"])
    assert site.strides == {"sx": Stride("x", 0), "so": Stride("out", -2)}
    assert site.values == {"GROUP": 128, "eps": 1e-10, "HAS_BIAS": True, "BLOCK": "=next_power_of_2(N)"}
    assert site.dtypes == {"out": "int8", "scales": "float32"}
    assert site.grid == ("x_0", "cdiv(N, GROUP)") or site.grid == ("x_0", "cdiv(N, 128)")
    assert site.options == {"num_warps": 8}


def test_a_grid_that_asks_the_meta_parameters() -> None:
    launcher = """
def add(x, y):
    n = x.numel()
    grid = lambda META: (triton.cdiv(n, META["BLOCK"]),)
    add_kernel[grid](x, None, n, BLOCK=1024)
"""
    (site,) = read_sites([launcher], "add_kernel", ["x", "y", "n", "BLOCK"], ["x", "y"])
    assert site.grid == ("cdiv(n, BLOCK)",)
    assert site.absent == {"y"} and site.values == {"BLOCK": 1024}


def test_what_is_no_launch_tells_nothing() -> None:
    assert read_sites(["def f(x):\n    return table[x](x)\n", "def broken(:"], "add_kernel", ["x"], ["x"]) == []

from __future__ import annotations

import pytest

from kmaint.evaluate.workers import sass

LISTING = """\
        .section        .text.kernel,"ax",@progbits
.text.kernel:
        /*0000*/                   LDC R1, c[0x0][0x28] ;
        /*0010*/                   ULDC.64 UR4, c[0x0][0x208] ;
        /*0020*/              @!P0 LDG.E.64 R2, desc[UR4][R2.64] ;
        /*0030*/                   LDGSTS.E.BYPASS.LTC128B.128 [R8], desc[UR4][R2.64] ;
        /*0040*/              @UP0 STG.E.U16 desc[UR4][R4.64], R2 ;
        /*0050*/                   STL [R1], R2 ;
        /*0060*/                   EXIT ;
.L_x_0:
        /*0070*/                   BRA `(.L_x_0);
        /*0080*/                   NOP;
"""


def test_a_listing() -> None:
    assert sass.read(LISTING) == {"instructions": 8, "load_bits": 128, "store_bits": 16, "loads": 2, "spills": 1}


@pytest.mark.parametrize(
    ("name", "bits"),
    [("LDG.E", 32), ("LDG.E.U8", 8), ("LDG.E.128.CONSTANT", 128), ("STG.E.U16", 16), ("LDGSTS.E.LTC128B", 32)],
)
def test_widths(name: str, bits: int) -> None:
    assert sass.width(name) == bits

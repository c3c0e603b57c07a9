"""SGLang's own lookup of fused-MoE configurations, cut out of its file: which file it wants, by device and Triton."""

from pathlib import Path

import pytest

from reintegrate.kinds.launches import Launch
from reintegrate.kinds.tables import Reader, table_of
from tests.reintegrate.wins import evaluation

TREE = Path(__file__).parents[1] / "cases" / "tables"
FOLDER = "sglang/srt/layers/moe/moe_runner/triton_utils"
TENSOR = {"stride": [1, 1, 1], "dtype": "bfloat16"}
LAUNCH = Launch(
    kernel="fused_moe_kernel",
    arguments={
        "a_ptr": {"shape": [64, 2048], **TENSOR},
        "b_ptr": {"shape": [128, 1536, 2048], **TENSOR},
        "N": 1536,
        "K": 2048,
        "num_valid_tokens": 512,
        "top_k": 8,
        "group_n": 0,
        "group_k": 0,
        "MUL_ROUTED_WEIGHT": False,
        "use_fp8_w8a8": False,
        "use_int8_w8a8": False,
        "use_int8_w8a16": False,
        "per_channel_quant": False,
    },
    grid=(96,),
)


@pytest.fixture
def reader() -> Reader:
    table = table_of("sglang", "fused_moe_kernel")
    assert table is not None
    return Reader(
        table=table, root=TREE, path=f"{FOLDER}/fused_moe_triton_config.py", environment=evaluation("", {}).environment
    )


def on(reader: Reader, **changes: str) -> Reader:
    from dataclasses import replace

    return replace(reader, environment=replace(reader.environment, **changes))  # type: ignore[arg-type]


def test_it_asks_for_the_file_of_the_device_and_the_release_of_triton(reader: Reader) -> None:
    path, rows = on(reader, device="NVIDIA H200").look_up(reader.key(LAUNCH))
    assert path == f"{FOLDER}/configs/triton_3_6_0/E=128,N=768,device_name=NVIDIA_H200.json"
    assert rows is not None
    assert rows[64].keys() >= {"BLOCK_SIZE_M", "num_warps"}
    assert reader.size(LAUNCH) == 64
    later, fallen_back = on(reader, device="NVIDIA H200", triton="3.7.1").look_up(reader.key(LAUNCH))
    assert later == f"{FOLDER}/configs/triton_3_7_1/E=128,N=768,device_name=NVIDIA_H200.json"
    assert fallen_back == rows
    assert on(reader, device="NVIDIA B300 SXM6 AC").look_up(reader.key(LAUNCH)) == (
        f"{FOLDER}/configs/triton_3_6_0/E=128,N=768,device_name=NVIDIA_B300_SXM6_AC.json",
        None,
    )


def test_the_name_has_what_a_quantised_launch_adds(reader: Reader) -> None:
    given = {**LAUNCH.arguments, "use_fp8_w8a8": True, "group_n": 128, "group_k": 128}
    launch = Launch(kernel=LAUNCH.kernel, arguments=given, grid=LAUNCH.grid)
    path, _ = on(reader, device="NVIDIA H200").look_up(reader.key(launch))
    assert path.endswith("/E=128,N=768,device_name=NVIDIA_H200,dtype=fp8_w8a8,block_shape=[128, 128].json")


def test_sizes_without_a_row_have_the_frameworks_own_default(reader: Reader) -> None:
    """Up to as many tokens as experts it is another than beyond."""
    rows = on(reader, device="NVIDIA B200").defaults(LAUNCH, [64, 4096])
    assert (rows[64]["BLOCK_SIZE_M"], rows[4096]["BLOCK_SIZE_M"]) == (16, 64)


def test_a_file_that_a_patch_writes_is_found(reader: Reader) -> None:
    from dataclasses import replace

    name = f"{FOLDER}/configs/triton_3_6_0/E=128,N=768,device_name=NVIDIA_B200.json"
    written = replace(on(reader, device="NVIDIA B200"), written={name: '{"8": {"num_warps": 2}}'})
    assert written.look_up(reader.key(LAUNCH)) == (name, {8: {"num_warps": 2}})

"""How a framework's host code in C++ reads sizes, dtypes and the architecture: the words of its own files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Host:
    """Expressions with `{tensor}` in them; `device` are statements that end in the test of the architecture.

    `dtype` is the test of one dtype, `dtypes` its names by torch's. `header` says what `device` is declared in, as an
    `#include` of it reads. `nested` is how much further to the right a directive under one `#if` more stands.
    """

    tensor: str
    rank: str
    size: str
    dtype: str
    dtypes: Mapping[str, str]
    device: tuple[str, ...]
    header: str
    columns: int
    nested: str


STABLE = "torch::headeronly::ScalarType::"
HOSTS = {
    "vllm": Host(
        tensor="torch::stable::Tensor",
        rank="{tensor}dim()",
        size="{tensor}size({index})",
        dtype="{tensor}scalar_type() == {dtype}",
        dtypes={
            "bfloat16": f"{STABLE}BFloat16",
            "float16": f"{STABLE}Half",
            "float32": f"{STABLE}Float",
            "float64": f"{STABLE}Double",
            "float8_e4m3fn": f"{STABLE}Float8_e4m3fn",
            "int32": f"{STABLE}Int",
            "int64": f"{STABLE}Long",
            "int8": f"{STABLE}Char",
            "uint8": f"{STABLE}Byte",
        },
        device=(
            "const torch::stable::accelerator::DeviceGuard device_guard(",
            "    {tensor}get_device_index());",
            "const cudaDeviceProp* device = get_device_prop();",
            "return device->major == {major} && device->minor == {minor};",
        ),
        header='"torch_utils.h"',
        columns=80,
        nested="  ",
    ),
    "sglang": Host(
        tensor="tvm::ffi::TensorView",
        rank="{tensor}ndim()",
        size="{tensor}size({index})",
        dtype="host::is_type<{dtype}>({tensor}dtype())",
        dtypes={
            "bfloat16": "bf16_t",
            "float16": "fp16_t",
            "float32": "fp32_t",
            "float8_e4m3fn": "fp8_e4m3_t",
            "int32": "int32_t",
            "int64": "int64_t",
            "int8": "int8_t",
            "uint8": "uint8_t",
        },
        device=(
            "const int device_id = {tensor}device().device_id;",
            "return host::runtime::get_cc_major(device_id) == {major} && "
            "host::runtime::get_cc_minor(device_id) == {minor};",
        ),
        header="<sgl_kernel/runtime.cuh>",
        columns=120,
        nested="",
    ),
}

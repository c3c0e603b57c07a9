"""What stands in for vllm in kernel.py."""

import torch
from typing import NamedTuple


def _capability() -> tuple[int, int]:
    """Of the current device; that of a Hopper where there is none."""
    return torch.cuda.get_device_capability() if torch.cuda.is_available() else (9, 0)


# vllm.platforms.current_platform: the framework's own answers for CUDA; those for sm_90 where there is no CUDA device
class _Platform:
    """CUDA, as vLLM's own platform answers."""

    device_type = "cuda" if torch.cuda.is_available() else "cpu"
    device_name = "cuda"
    dispatch_key = "CUDA"
    supported_dtypes = (torch.bfloat16, torch.float16, torch.float32)

    def is_cuda(self) -> bool:
        return True

    def is_cuda_alike(self) -> bool:
        return True

    def is_rocm(self) -> bool:
        return False

    def is_xpu(self) -> bool:
        return False

    def is_cpu(self) -> bool:
        return False

    def is_tpu(self) -> bool:
        return False

    def is_out_of_tree(self) -> bool:
        return False

    def supports_mx(self) -> bool:
        return False

    def is_fp8_fnuz(self) -> bool:
        return False

    def supports_fp8(self) -> bool:
        return self.has_device_capability(89)

    def fp8_dtype(self) -> torch.dtype:
        return torch.float8_e4m3fn

    def get_device_capability(self, _device_id: int = 0) -> "_Capability":
        return _Capability(*_capability())

    def has_device_capability(self, capability: "int | tuple[int, int]", _device_id: int = 0) -> bool:
        wanted = divmod(capability, 10) if isinstance(capability, int) else capability
        return _capability() >= tuple(wanted)

    def is_device_capability(self, capability: "int | tuple[int, int]", _device_id: int = 0) -> bool:
        wanted = divmod(capability, 10) if isinstance(capability, int) else capability
        return _capability() == tuple(wanted)

    def is_device_capability_family(self, capability: int, _device_id: int = 0) -> bool:
        return _capability()[0] == capability // 10

    def is_arch_support_pdl(self) -> bool:
        return _capability()[0] >= 9

    def get_device_name(self, device_id: int = 0) -> str:
        return torch.cuda.get_device_name(device_id) if torch.cuda.is_available() else "NVIDIA H200"

    def num_compute_units(self, device_id: int = 0) -> int:
        if not torch.cuda.is_available():
            return 132
        return torch.cuda.get_device_properties(device_id).multi_processor_count


class _Capability(NamedTuple):
    major: int
    minor: int

    def to_int(self) -> int:
        return 10 * self.major + self.minor

    def as_version_str(self) -> str:
        return f"{self.major}.{self.minor}"


current_platform = _Platform()

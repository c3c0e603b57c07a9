# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: Copyright contributors to the vLLM project
# In the place of vLLM's own: a processor, and what these files ask of it.

import torch


class CpuPlatform:
    dispatch_key = "CPU"

    def is_cuda(self) -> bool:
        return False

    def is_device_capability(self, capability: tuple[int, int]) -> bool:
        return False

    def fp8_dtype(self) -> torch.dtype:
        return torch.float8_e4m3fn


current_platform = CpuPlatform()

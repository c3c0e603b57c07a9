# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: Copyright contributors to the vLLM project
# In the place of vLLM's own, which has no Triton where there is no GPU.

import triton
import triton.language as tl

__all__ = ["tl", "triton"]

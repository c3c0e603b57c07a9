# Reduced from sglang 0.5.17 (Apache-2.0), sglang/srt/utils/common.py.
from functools import lru_cache

import torch


@lru_cache(maxsize=1)
def is_hip() -> bool:
    return torch.version.hip is not None

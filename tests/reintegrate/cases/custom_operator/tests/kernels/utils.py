# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: Copyright contributors to the vLLM project
# Cut: what checks an operator, without its comparison of fp8.

from typing import Any

import torch


def opcheck(
    op: torch._ops.OpOverloadPacket,
    args: tuple[Any, ...],
    kwargs: dict[str, Any] | None = None,
) -> dict[str, str]:
    return torch.library.opcheck(op, args, kwargs)

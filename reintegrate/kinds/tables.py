"""Tuned configurations: which kernels' launch parameters they hold, and the framework's own functions that read them.

Neither a file's name nor its folder stands here: the lookup is run, and the file that it asks for is the one to write.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kmaint.child import clean_environment, run_child
from kmaint.errors import UsageError
from kmaint.expression import evaluate
from kmaint.records.evaluation import Environment
from kmaint.records.workload import Binding
from reintegrate.kinds.launches import Launch

WORKER = Path(__file__).with_name("lookup_worker.py")
LIMIT_S = 60.0
PARAMETERS = ("BLOCK_SIZE_M", "BLOCK_SIZE_N", "BLOCK_SIZE_K", "GROUP_SIZE_M", "SPLIT_K", "num_warps", "num_stages")

Row = dict[str, int]
"""A configuration: launch parameters by name."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """A folder of configurations by size, and what reads it.

    `arguments` of the lookup and `size`, the row, are expressions over a launch (see `Launch.facts`), in which an empty
    text stands for None; `when` says for which launches the table speaks. `default` is the function that serves where
    there is no table, with its arguments.
    """

    framework: str
    kernels: tuple[str, ...]
    lookup: str
    arguments: dict[str, str]
    size: str
    path: str = ""
    """The lookup's module; empty where it stands in the kernel's own."""
    when: str = "True"
    follows: tuple[str, ...] = ()
    """Launch arguments that the launcher works out from the configuration."""
    default: str = ""
    default_arguments: tuple[tuple[str, str], ...] = ()
    also: str = ""
    """What else the row steers, for the reviewer."""


MOE_DTYPE = (
    "'fp8_w8a8' if use_fp8_w8a8 else 'int8_w8a8' if use_int8_w8a8 else 'int8_w8a16' if use_int8_w8a16 else "
    "'float32' if a_ptr_dtype == 'float32' else ''"
)
MOE = {"E": "b_ptr_0", "N": "N // 2", "dtype": MOE_DTYPE, "block_n": "group_n", "block_k": "group_k"}
MOE_DEFAULT = (
    ("M", "M"),
    ("E", "b_ptr_0"),
    ("N", "N // 2"),
    ("K", "K"),
    ("topk", "top_k"),
    ("dtype", MOE_DTYPE),
    ("block_shape", "[group_n, group_k] if group_n > 0 else ''"),
)
BLOCK = {"N": "N", "K": "K", "block_n": "group_n", "block_k": "group_k"}
BOTH_GEMMS = "both matrix products of the layer; the first was timed"

TABLES = (
    Table(
        framework="sglang",
        kernels=("fused_moe_kernel",),
        path="sglang/srt/layers/moe/moe_runner/triton_utils/fused_moe_triton_config.py",
        lookup="get_moe_configs",
        arguments={**MOE, "per_channel_quant": "per_channel_quant"},
        size="num_valid_tokens // top_k",
        when="not MUL_ROUTED_WEIGHT",
        follows=("even_Ks", "EM"),
        default="get_default_config",
        default_arguments=(*MOE_DEFAULT, ("is_marlin", "False")),
        also=BOTH_GEMMS,
    ),
    Table(
        framework="vllm",
        kernels=("fused_moe_kernel",),
        path="vllm/model_executor/layers/fused_moe/fused_moe.py",
        lookup="get_moe_configs",
        arguments=MOE,
        size="num_valid_tokens // top_k",
        when="not MUL_ROUTED_WEIGHT",
        follows=("even_Ks", "EM"),
        default="get_default_config",
        default_arguments=MOE_DEFAULT,
        also=BOTH_GEMMS,
    ),
    Table(
        framework="sglang",
        kernels=("_w8a8_block_fp8_matmul",),
        lookup="get_w8a8_block_fp8_configs",
        arguments=BLOCK,
        size="M",
        follows=("needs_masking",),
    ),
    Table(
        framework="sglang",
        kernels=("_w8a8_block_int8_matmul",),
        lookup="get_w8a8_block_int8_configs",
        arguments=BLOCK,
        size="M",
    ),
    Table(
        framework="vllm",
        kernels=("_w8a8_triton_block_scaled_mm",),
        lookup="get_w8a8_block_fp8_configs",
        arguments=BLOCK,
        size="M",
    ),
    Table(
        framework="vllm",
        kernels=("_w8a8_block_int8_matmul",),
        lookup="get_w8a8_block_int8_configs",
        arguments=BLOCK,
        size="M",
    ),
)


def table_of(framework: str, kernel: str) -> Table | None:
    """The table that holds a kernel's launch parameters."""
    return next((one for one in TABLES if one.framework == framework and kernel in one.kernels), None)


@dataclass(frozen=True, kw_only=True)
class Reader:
    """A table's lookup in one tree, asked as if on the machine of the measurement."""

    table: Table
    root: Path
    path: str
    environment: Environment
    written: Mapping[str, str] = field(default_factory=dict)
    """Files that a patch writes, by path, which the lookup then finds."""

    def key(self, launch: Launch) -> tuple[tuple[str, Binding], ...]:
        """What the lookup is given for a launch: one file a key."""
        facts = launch.facts()
        return tuple((name, evaluate(text, facts)) for name, text in self.table.arguments.items())

    def size(self, launch: Launch) -> int:
        return int(evaluate(self.table.size, launch.facts()))

    def look_up(self, key: Sequence[tuple[str, Binding]]) -> tuple[str, dict[int, Row] | None]:
        """The file that the lookup asks for first, in the tree, and what it gives. UsageError where it fails."""
        said = self._run(self.table.lookup, [dict(key)])
        if not said["asked"]:
            raise UsageError(f"{self.path}: {self.table.lookup} asks for no file", "tune this kernel by hand")
        found = said["given"][0]
        return said["asked"][0], {int(size): row for size, row in found.items()} if found else None

    def defaults(self, launch: Launch, sizes: Sequence[int]) -> dict[int, Row]:
        """What serves without a table at each size, as the framework's own function has it."""
        facts = launch.facts()
        calls = [
            {name: evaluate(text, {**facts, "M": size}) for name, text in self.table.default_arguments}
            for size in sizes
        ]
        return dict(zip(sizes, self._run(self.table.default, calls)["given"], strict=True))

    def _run(self, function: str, calls: list[dict[str, Any]]) -> dict[str, Any]:
        asked = {
            "root": str(self.root),
            "path": self.path,
            "function": function,
            "calls": [{name: None if value == "" else value for name, value in call.items()} for call in calls],
            "device": self.environment.device,
            "triton": self.environment.triton,
            "written": dict(self.written),
        }
        ended = run_child(
            [sys.executable, "-I", WORKER], timeout_s=LIMIT_S, env=clean_environment(), stdin=json.dumps(asked)
        )
        if ended.code:
            said = next(iter(ended.stderr.strip().splitlines()[-1:]), "it ran too long")
            raise UsageError(f"{self.path}: {function} could not be run alone: {said}", "tune this kernel by hand")
        found: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
        return found

"""Facts of a compiled kernel, read from its cubin with the tools that triton ships."""

from __future__ import annotations

import re
import shutil
import subprocess  # noqa: TID251 - standalone: kmaint.child is not there
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any

INSTRUCTION = re.compile(r"^\s*/\*[0-9a-f]{4,}\*/\s+(?:@!?U?P\w+\s+)?(?P<name>[A-Z][A-Z0-9_.]*)")
USAGE = re.compile(r"\b(REG|STACK|SHARED|LOCAL):(\d+)")
BITS = {"U8": 8, "S8": 8, "U16": 16, "S16": 16, "64": 64, "128": 128, "256": 256}


@lru_cache(maxsize=512)
def facts(cubin: bytes) -> dict[str, int]:
    """Registers, stack bytes, instructions, and the widest global load and store in bits; 0 where there is none."""
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(cubin)
        file.flush()
        usage = dict(USAGE.findall(_run("cuobjdump", "--dump-resource-usage", file.name)))
        listing = _run("nvdisasm", "-c", file.name)
    return {"registers": int(usage["REG"]), "stack_bytes": int(usage.get("STACK", 0)), **read(listing)}


def read(listing: str) -> dict[str, int]:
    """Counts over what `nvdisasm -c` prints."""
    names = [found["name"] for line in listing.splitlines() if (found := INSTRUCTION.match(line))]
    work = [name for name in names if not name.startswith("NOP")]  # padding after the last branch
    return {
        "instructions": len(work),
        "load_bits": max((width(name) for name in work if name.startswith(("LDG.", "LDGSTS."))), default=0),
        "store_bits": max((width(name) for name in work if name.startswith("STG.")), default=0),
        "loads": sum(name.startswith(("LDG.", "LDGSTS.")) for name in work),
        "spills": sum(name.split(".")[0] in ("LDL", "STL") for name in work),
    }


def width(name: str) -> int:
    """Bits that one thread moves: `LDG.E.128.CONSTANT` is 128, a bare `LDG.E` 32."""
    return next((BITS[part] for part in reversed(name.split(".")) if part in BITS), 32)


def tool(name: str) -> str:
    """Path of a CUDA binary tool: triton's own, else the one on PATH."""
    import triton

    own = Path(triton.__file__).parent / "backends" / "nvidia" / "bin" / name
    found = str(own) if own.is_file() else shutil.which(name)
    if found is None:
        raise FileNotFoundError(f"{name}: neither in triton nor on PATH")
    return found


def _run(name: str, *arguments: Any) -> str:
    done = subprocess.run([tool(name), *arguments], capture_output=True, text=True, timeout=60, check=True)  # noqa: S603
    return done.stdout

"""Loads binding.cu as a torch library of its own name, so that it can live beside the framework's."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from . import nvcc


def arguments(flags: Sequence[str], folders: Sequence[str]) -> tuple[str, list[str], list[Path], str]:
    """Source, flags, include folders and library name of binding.cu; the name follows from the content."""
    name = f"kmaint_{nvcc.content_key()[:16]}"
    major, minor = nvcc.capability()
    torch_folder = Path(torch.__file__).parent / "include"
    target = f"-gencode=arch=compute_{major}{minor},code=sm_{major}{minor}"
    return (
        '#include "binding.cu"\n',
        [*flags, f"-DKMAINT_LIBRARY={name}", target, *linked()],
        [*(nvcc.ROOT / folder for folder in folders), torch_folder, torch_folder / "torch/csrc/api/include"],
        name,
    )


def linked() -> list[str]:
    """torch's own libraries by name: not every release of torch makes their symbols known to what is loaded later.

    With them the driver's, as vLLM links it, where there is a driver to load.
    """
    folder = Path(torch.__file__).parent / "lib"
    names = [name for name in ("torch_cpu", "torch_cuda", "c10", "c10_cuda") if (folder / f"lib{name}.so").is_file()]
    words = [f"-L{folder}", *(f"-l{name}" for name in names)]
    stubs = nvcc.find_nvcc().parents[1] / "lib64" / "stubs"
    if torch.cuda.is_available() and (stubs / "libcuda.so").is_file():
        words += [f"-L{stubs}", "-lcuda"]
    return words


def build(flags: Sequence[str], folders: Sequence[str]) -> Path:
    """The compiled library; needs nvcc and torch's headers, no GPU."""
    source, words, places, name = arguments(flags, folders)
    return nvcc.build(source, words, places, name=name)


@functools.cache
def operators(flags: tuple[str, ...], folders: tuple[str, ...]) -> Any:
    """`torch.ops` of the library, compiled at the first call."""
    torch.ops.load_library(build(flags, folders))
    return getattr(torch.ops, arguments(flags, folders)[-1])

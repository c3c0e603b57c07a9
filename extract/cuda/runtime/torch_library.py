"""Loads binding.cu as a torch library of its own name, so that it can live beside the framework's."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from . import nvcc
from .nvcc import Place


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


def wanted(flags: Sequence[str], folders: Sequence[str], place: Place = nvcc.HARNESS) -> nvcc.Wanted:
    """The library of binding.cu, whose name follows from the content."""

    def options() -> nvcc.Options:
        major, minor = nvcc.capability()
        include = Path(torch.__file__).parent / "include"
        return (
            [f"-gencode=arch=compute_{major}{minor},code=sm_{major}{minor}", *linked()],
            [*(place.root / folder for folder in folders), include, include / "torch/csrc/api/include"],
        )

    own = (*flags, f"-DKMAINT_LIBRARY={place.name}")
    return nvcc.Wanted(place.name, '#include "binding.cu"\n', own, options, place)


@functools.cache
def operators(flags: tuple[str, ...], folders: tuple[str, ...], place: Place = nvcc.HARNESS) -> Any:
    """`torch.ops` of the library, compiled at the first call where it was not before."""
    torch.ops.load_library(nvcc.build(wanted(flags, folders, place)))
    return getattr(torch.ops, place.name)

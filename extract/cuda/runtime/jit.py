"""Builds what `load_jit` asks for from this folder's own sources: the text, flags and exports of SGLang's loader."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from . import nvcc
from .nvcc import Place

FLAGS = ("-O2", "-std=c++20", "-O3", "--expt-relaxed-constexpr")
"""tvm-ffi's own, then those of SGLang's loader."""

HEADERS = "container/tensor.h dtype.h error.h extra/c_env_api.h function.h"
"""What tvm-ffi puts before inline sources."""


class Unloaded:
    """A module that was built where it cannot run: any call of it says so."""

    def __init__(self, library: Path, reason: str) -> None:
        self.library = library
        self.reason = reason

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(f"{name}: built as {self.library}, not loaded: {self.reason}")


BUILT: list[Path] = []
"""Every library that this process has built or found."""


def load(
    *name: str,
    cuda_files: list[str],
    cuda_wrappers: list[tuple[str, str]] | None = None,
    extra_cuda_cflags: list[str] | None = None,
    place: Place = nvcc.HARNESS,
    **other: Any,
) -> Any:
    """The module of these files with these exports; `other` is what only some kernels ask for, and not built here."""
    asked = sorted(option for option, value in other.items() if value and option != "header_only")
    if asked:
        raise nvcc.BuildError(f"load_jit: {', '.join(asked)} is not built by a harness")
    stated = json.loads((nvcc.ROOT / "loader.json").read_text())
    source = "".join(f"#include <tvm/ffi/{header}>\n" for header in HEADERS.split())
    source += "".join(f'#include "{stated["folder"]}/csrc/{file}"\n' for file in cuda_files)
    exports = "".join(f"TVM_FFI_DLL_EXPORT_TYPED_FUNC({export}, ({cpp}));\n" for export, cpp in cuda_wrappers or ())
    source += f"namespace {stated['namespace']} {{\n{exports}}}\n" if stated["namespace"] else exports

    def options() -> nvcc.Options:
        major, minor = nvcc.capability()
        suffix = "a" if major >= 9 else ""  # the architecture's own instructions, as SGLang's loader asks for
        target = f"-gencode=arch=compute_{major}{minor}{suffix},code=sm_{major}{minor}{suffix}"
        return [*FLAGS, f"-DSGL_CUDA_ARCH={major * 100 + minor * 10}", target], [
            place.root / stated["folder"] / "include",
            *_headers(),
        ]

    title = "_".join(["jit", *_words(name)])
    library = nvcc.build(nvcc.Wanted(title, source, tuple(extra_cuda_cflags or ()), options, place))
    BUILT.append(library)
    return loaded(library)


def _words(name: tuple[str, ...]) -> list[str]:
    return ["".join(letter if letter.isalnum() else "_" for letter in str(word))[:40] for word in name[:2]]


def _headers() -> list[Path]:
    try:
        from tvm_ffi import libinfo  # type: ignore[import-not-found]
    except ImportError as error:
        raise nvcc.BuildError("no headers of tvm-ffi: install the package apache-tvm-ffi beside torch") from error
    return [Path(libinfo.find_include_path()), Path(libinfo.find_dlpack_include_path())]


def loaded(library: Path) -> Any:
    """The module in the library; where there is no device, what says so at the first call."""
    if not torch.cuda.is_available():
        return Unloaded(library, "no CUDA device")
    import tvm_ffi

    return tvm_ffi.load_module(str(library))

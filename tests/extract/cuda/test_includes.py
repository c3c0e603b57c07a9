from __future__ import annotations

from extract.cuda.includes import include_closure
from extract.tree import SourceTree


def test_the_closure_of_a_file_follows_its_own_folder_and_then_the_loaders(sglang_cuda: SourceTree) -> None:
    jit = "sglang/kernels/jit"
    found = include_closure(sglang_cuda.root, f"{jit}/csrc/elementwise/clamp_position.cuh", (f"{jit}/include",))
    assert [path.rpartition("/")[2] for path in found.files] == [
        "ffi.h",
        "source_location.h",
        "tensor.h",
        "utils.cuh",
        "utils.h",
    ]
    assert "dlpack/dlpack.h" in found.outside


def test_files_that_include_each_other_end(sglang_cuda: SourceTree) -> None:
    (sglang_cuda.root / "a.cuh").write_text('#include "sub/b.cuh"\n')
    (sglang_cuda.root / "sub").mkdir()
    (sglang_cuda.root / "sub/b.cuh").write_text('#include "../a.cuh"\n#include <b.cuh>\n')
    found = include_closure(sglang_cuda.root, "a.cuh", ("sub",))
    assert (found.files, found.outside) == (("sub/b.cuh",), ())

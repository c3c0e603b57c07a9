from __future__ import annotations

from pathlib import Path

import pytest

from extract.scan.cuda_linking import link_cuda
from extract.scan.cuda_strings import read_cuda_strings


def test_a_real_module_lists_the_kernels_that_it_compiles_from_a_string() -> None:
    content = Path(__file__).with_name("cases").joinpath("ipc_a2a.py").read_bytes()
    kernels = link_cuda({"ipc_a2a.py": read_cuda_strings(content, "ipc_a2a.py")})
    assert [(kernel.name, kernel.line, kernel.end_line, kernel.role) for kernel in kernels] == [
        ("spin_wait_kernel", 44, 63, "kernel"),
        ("bump_signal_kernel", 64, 69, "kernel"),
    ]
    assert [[(host.qualname, host.line) for host in kernel.launchers] for kernel in kernels] == [
        [("spin_wait", 70)],
        [("bump_signal", 77)],
    ]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("x = 1\ny = '#include <a.h>\\n__global__ void f() {}\\n'\n", [2]),
        ('y = (\n    "#include <a.h>\\n"\n    "__global__ void f(int a) {"  # why\n    f"}}"\n)\n', [3]),
        ('y = r"""\n__global__ void f() {\n  printf(\\"{\\");\n}\n__global__ void g() {}\n"""\n', [2, 5]),
        ("y = 'it is \\'' '''\n__global__ void f() {}'''\n", [2]),
        ('def f():\n    """Launches the CUDA __global__ `f`: a fixed grid (64, 1, 1); see verify.cuh."""\n', []),
        ("# '__global__ void f() {}'\n", []),
        ('y = "__global__ void " + name + "(int a) {}"\n', []),
    ],
)
def test_lines_are_those_of_the_python_file(text: str, lines: list[int]) -> None:
    assert [kernel.line for kernel in read_cuda_strings(text.encode(), "a.py").kernels] == lines

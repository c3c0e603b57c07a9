from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from extract.scan import find_kernel, named_launcher, scan_tree
from kmaint.errors import UsageError
from kmaint.records.kernel import Kernel

WriteTree = Callable[[dict[str, str]], Path]

KERNEL = (
    "from vllm.triton_utils import tl, triton\n\n@triton.jit\ndef kernel(x, n: tl.constexpr):\n    tl.store(x, n)\n\n"
)
LAUNCHES = {
    "plain": "def host(x):\n    kernel[(1,)](x, 1)\n",
    "a lambda as grid": "def host(x):\n    grid = lambda meta: (1,)\n    kernel[grid](x, 1)\n",
    "a choice": "def host(x, c):\n    chosen = kernel if c else None\n    chosen[(1,)](x, 1)\n",
    "a table": "TABLE = {1: kernel}\n\ndef host(x):\n    TABLE[1][(1,)](x, 1)\n",
    "a table's get": "def host(x, w):\n    {16: kernel}.get(w)[(1,)](x, 1)\n",
    "a wrapper made once": "tuned = triton.autotune(configs=[], key=[])(kernel)\n\ndef host(x):\n    tuned[(1,)](x, 1)\n",  # noqa: E501 - one case a line
    "a factory": "def get():\n    return kernel\n\ndef host(x):\n    get()[(1,)](x, 1)\n",
    "wrap_triton": "def host(x):\n    wrap_triton(kernel)[(1,)](x, 1)\n",
    "a partial": "def host(x):\n    launch = functools.partial(kernel[(1,)], x)\n    launch(1)\n    kernel.run(x, 1, grid=(1,))\n",  # noqa: E501 - one case a line
    "run": "def host(x):\n    kernel.run(x, 1, grid=(1,))\n",
    "the function below a tuner": "def host(x):\n    kernel.fn[(1,)](x, 1)\n",
    "another launcher": "def host(x):\n    launch_autotuned(kernel, (1,), x)\n",
    "a nested function": "def host(x):\n    def inner():\n        kernel[(1,)](x, 1)\n    inner()\n",
}


@pytest.mark.parametrize("way", LAUNCHES)
def test_each_way_to_launch_is_seen(way: str, write_tree: WriteTree) -> None:
    (kernel,) = scan_tree(write_tree({"vllm/a.py": KERNEL + LAUNCHES[way]})).kernels
    assert kernel.role == "kernel"
    assert "host" in {host.qualname for host in kernel.launchers}


@pytest.mark.parametrize(
    "text",
    [
        "import triton\n@triton.jit\ndef kernel(x): ...\n",
        "import triton as t\n@t.jit\ndef kernel(x): ...\n",
        "from triton import jit\n@jit\ndef kernel(x): ...\n",
        "from triton import jit as compiled\n@compiled(debug=True)\ndef kernel(x): ...\n",
        "import triton\n@triton.heuristics({})\n@triton.jit(repr=str)\ndef kernel(x): ...\n",
        "import triton\ndef body(x): ...\nkernel = triton.jit(body)\n",
        "import triton\ndef body(x): ...\nkernel = triton.jit(do_not_specialize=[])(body)\n",
        "try:\n    import triton\nexcept ImportError:\n    triton = None\nif triton:\n    @triton.jit\n    def kernel(x): ...\n",  # noqa: E501 - one case a line
        "import triton\nclass Box:\n    @staticmethod\n    @triton.jit\n    def kernel(x): ...\n",
        "def make():\n    import triton\n    @triton.jit\n    def kernel(x): ...\n",
    ],
)
def test_each_spelling_of_the_decorator_is_seen(text: str, write_tree: WriteTree) -> None:
    assert [kernel.name for kernel in scan_tree(write_tree({"vllm/a.py": text})).kernels] == ["kernel"]


def test_a_docstring_that_speaks_of_jit_is_no_kernel(write_tree: WriteTree) -> None:
    tree = write_tree({"vllm/a.py": '"""import triton\n@triton.jit\ndef kernel(): ...\n"""\n'})
    assert scan_tree(tree).kernels == ()


def test_launches_and_callers_are_followed_through_files_and_packages(write_tree: WriteTree) -> None:
    tree = write_tree(
        {
            "vllm/ops/kernels.py": KERNEL,
            "vllm/ops/__init__.py": "from .launch import host as host\n",
            "vllm/ops/launch.py": "from vllm.ops import kernels\n\ndef host(x):\n    kernels.kernel[(1,)](x, 1)\n",
            "vllm/model.py": "from vllm.ops import host\n\nclass Layer:\n    def forward(self, x):\n        host(x)\n",
        }
    )
    (kernel,) = scan_tree(tree).kernels
    (host,) = kernel.launchers
    assert (host.id, host.line) == ("vllm/ops/launch.py::host", 3)
    assert host.callers == ("vllm/model.py::Layer.forward",)


def test_a_function_that_only_kernels_call_is_a_device_function(write_tree: WriteTree) -> None:
    tree = write_tree(
        {
            "vllm/device.py": "import triton\n\n@triton.jit\ndef square(x):\n    return x * x\n\n@triton.jit\ndef lost(x): ...\n",  # noqa: E501 - one case a line
            "vllm/a.py": "import triton\nfrom vllm.device import square\n\n@triton.jit\ndef kernel(x):\n    square(x)\n\n"  # noqa: E501 - one case a line
            "def host(x):\n    kernel[(1,)](x)\n",
        }
    )
    kernels = {kernel.name: kernel for kernel in scan_tree(tree).kernels}
    assert {name: kernel.role for name, kernel in kernels.items()} == {
        "kernel": "kernel",
        "square": "device",
        "lost": "unknown",
    }
    assert kernels["square"].used_by == ("vllm/a.py::kernel",)


CUTE = "import cutlass.cute as cute\n\n"
PART = "@cute.jit\ndef part(x):\n    return x\n\n"
INNER = "    @cute.jit\n    def part(x):\n        return x\n\n"
DEVICE = {
    "beside it in a function": f"def build():\n{INNER}    @cute.kernel\n    def kernel(x):\n        part(x)\n\n    return kernel\n",  # noqa: E501 - one case a line
    "inside it": f"@cute.kernel\ndef kernel(x):\n{INNER}    part(x)\n",
    "in a class beside it in a function": f"def build():\n{INNER}    class Box:\n        @cute.kernel\n        def kernel(self, x):\n            part(x)\n\n    return Box\n",  # noqa: E501 - one case a line
    "outside of the function around it": f"{PART}def build():\n    @cute.kernel\n    def kernel(x):\n        part(x)\n\n    made = kernel\n    return made\n",  # noqa: E501 - one case a line
    "in a method that nothing compiles": f"{PART}class Box:\n    def step(self, x):\n        return part(x)\n\n    @cute.kernel\n    def kernel(self, x):\n        self.step(x)\n",  # noqa: E501 - one case a line
    "and so does what nothing is known to call": f"{PART}def other(x):\n    return part(x)\n\n@cute.kernel\ndef kernel(x):\n    part(x)\n",  # noqa: E501 - one case a line
}


@pytest.mark.parametrize("place", DEVICE)
def test_what_a_kernel_calls_is_a_device_function_wherever_it_stands(place: str, write_tree: WriteTree) -> None:
    kernels = {kernel.name: kernel for kernel in scan_tree(write_tree({"vllm/a.py": CUTE + DEVICE[place]})).kernels}
    assert (kernels["part"].role, kernels["part"].launchers) == ("device", ())
    assert len(kernels["part"].used_by) == 1


def test_a_device_function_is_not_handed_on_by_the_import_of_it(write_tree: WriteTree) -> None:
    text = "def build():\n    from vllm.parts import (\n        other,\n        part,\n    )\n\n    @cute.kernel\n    def kernel(x):\n        part(x)\n\n    return kernel\n"  # noqa: E501 - one case a line
    kernels = scan_tree(write_tree({"vllm/parts.py": CUTE + PART, "vllm/a.py": CUTE + text})).kernels
    assert [kernel.role for kernel in kernels if kernel.name == "part"] == ["device"]


def test_compiled_host_code_that_only_a_host_calls_is_no_device_function(write_tree: WriteTree) -> None:
    text = f"{PART}def host(x):\n    cute.compile(part, x)\n"
    (kernel,) = scan_tree(write_tree({"vllm/a.py": CUTE + text})).kernels
    assert (kernel.role, [host.qualname for host in kernel.launchers]) == ("unknown", ["host"])


def test_a_kernel_that_compiled_code_beside_it_launches_has_the_function_around_both_as_launcher(
    write_tree: WriteTree,
) -> None:
    text = "def build():\n    @cute.kernel\n    def kernel(x): ...\n\n    @cute.jit\n    def launch(x):\n        kernel(x).launch(grid=(1,))\n\n    return launch\n"  # noqa: E501 - one case a line
    kernels = {kernel.name: kernel for kernel in scan_tree(write_tree({"vllm/a.py": CUTE + text})).kernels}
    assert [host.qualname for host in kernels["kernel"].launchers] == ["build"]
    assert (kernels["launch"].role, kernels["kernel"].role) == ("unknown", "kernel")


CHOICE = "import helion\n\n@helion.kernel()\ndef narrow(x): ...\n\n@helion.kernel()\ndef wide(x): ...\n\ndef choose(n):\n    if n:\n        return narrow\n    return wide\n\n"  # noqa: E501 - one case a line
CHOSEN = {
    "by its name": "def host(x):\n    chosen = choose(x)\n    y = x\n    return chosen(y)\n",
    "at once": "def host(x):\n    return choose()(x)\n",
}


@pytest.mark.parametrize("files", [1, 2])
@pytest.mark.parametrize("way", CHOSEN)
def test_a_kernel_that_a_function_chooses_is_launched_by_who_calls_it(
    way: str, files: int, write_tree: WriteTree
) -> None:
    texts = {"vllm/a.py": CHOICE + CHOSEN[way]}
    if files == 2:
        texts = {"vllm/a.py": CHOICE, "vllm/b.py": "from vllm.a import choose\n\n" + CHOSEN[way]}
    for kernel in scan_tree(write_tree(texts)).kernels:
        assert [host.qualname for host in kernel.launchers] == ["host"]


def test_a_kernel_that_a_partial_gives_a_function_for_good_is_launched_by_that_function(write_tree: WriteTree) -> None:
    tree = write_tree(
        {
            "vllm/a.py": KERNEL + "def host(x, kernel=kernel):\n    kernel[(1,)](x, 1)\n",
            "vllm/b.py": KERNEL.replace("def kernel", "def other")
            + "from vllm.a import host as _host\nhost = functools.partial(_host, kernel=other)\n",
        }
    )
    kernels = scan_tree(tree).kernels
    assert {kernel.name: [host.id for host in kernel.launchers] for kernel in kernels} == {
        "kernel": ["vllm/a.py::host"],
        "other": ["vllm/a.py::host"],
    }


def test_who_only_asks_for_a_kernel_launches_none(write_tree: WriteTree) -> None:
    text = CHOICE + "def host(x):\n    chosen = choose(x)\n    return chosen\n"
    assert [kernel.launchers for kernel in scan_tree(write_tree({"vllm/a.py": text})).kernels] == [(), ()]


def test_both_arms_of_an_if_have_ids_of_their_own(write_tree: WriteTree) -> None:
    arm = "    @triton.jit\n    def softplus(x): ...\n"
    tree = write_tree({"vllm/a.py": f"import triton\nif triton.NEW:\n{arm}else:\n{arm}"})
    assert [kernel.id for kernel in scan_tree(tree).kernels] == ["vllm/a.py::softplus", "vllm/a.py::softplus#2"]


def test_files_that_cannot_be_read_are_problems(write_tree: WriteTree) -> None:
    tree = write_tree({"vllm/broken.py": "import triton\n@triton.jit\ndef (:\n"})
    (tree / "vllm/latin.py").write_bytes(b"import triton\nname = 'jit \xe9'\n")
    (tree / "vllm/away.py").symlink_to("/nowhere/away.py")
    (tree / "vllm/loop").symlink_to(tree / "vllm")
    with (tree / "vllm/huge.py").open("wb") as huge:
        huge.truncate(100 << 20)
    (tree / ".venv").mkdir()
    (tree / ".venv/skipped.py").write_text("def (")
    problems = {problem.path: (problem.line, problem.reason) for problem in scan_tree(tree).problems}
    assert problems.keys() == {"vllm/away.py", "vllm/broken.py", "vllm/huge.py", "vllm/latin.py"}
    assert problems["vllm/broken.py"] == (3, "not Python: invalid syntax")
    assert problems["vllm/huge.py"] == (None, "larger than 8 MB, so not read")
    assert problems["vllm/away.py"] == (None, "No such file or directory")


def test_a_byte_order_mark_is_no_problem(write_tree: WriteTree) -> None:
    tree = write_tree({"vllm/a.py": "\ufeff" + KERNEL})
    assert len(scan_tree(tree).kernels) == 1


def test_real_files_in_path_and_line_order(sglang_tree: Path) -> None:
    scan = scan_tree(sglang_tree)
    assert [(kernel.name, kernel.role) for kernel in scan.kernels] == [
        ("merge_state_kernel", "kernel"),
        ("fused_dual_residual_rmsnorm_kernel", "kernel"),
        ("fused_rmsnorm_kernel", "kernel"),
    ]
    assert [host.qualname for host in scan.kernels[1].launchers] == ["fused_dual_residual_rmsnorm"]
    assert scan.problems == ()


def test_a_kernel_is_found_by_id_name_or_launcher(sglang_tree: Path) -> None:
    scan = scan_tree(sglang_tree)
    wanted: Kernel = scan.kernels[0]
    for text in (wanted.id, "merge_state_kernel", "merge_state_triton"):
        assert find_kernel(scan, text) == wanted


def test_an_operator_s_name_names_the_operator_where_several_launch_one_cuda_kernel(tmp_path: Path) -> None:
    (package := (tree := tmp_path / "tree") / "vllm").mkdir(parents=True)
    (package / "__init__.py").touch()
    launches = "".join(f"void {name}(float* x) {{ scale<<<1, 32>>>(x); }}\n" for name in ("halve", "twice"))
    (package / "scale.cu").write_text(f"__global__ void scale(float* x) {{ x[0] *= 2; }}\n{launches}")
    scan = scan_tree(tree)
    kernel = find_kernel(scan, "twice")
    assert kernel == find_kernel(scan, "scale")
    assert (named_launcher(kernel, "twice"), named_launcher(kernel, "scale")) == ("twice", None)


def test_a_launcher_of_triton_is_no_operator_of_its_own(sglang_tree: Path) -> None:
    kernel = find_kernel(scan_tree(sglang_tree), "merge_state_triton")
    assert named_launcher(kernel, "merge_state_triton") is None


def test_an_unknown_kernel_is_answered_with_the_nearest(sglang_tree: Path) -> None:
    with pytest.raises(UsageError) as caught:
        find_kernel(scan_tree(sglang_tree), "merge_stat_kernel")
    assert str(caught.value) == (
        f"{sglang_tree}: no kernel 'merge_stat_kernel'; "
        "nearest: sglang/kernels/ops/attention/merge_state.py::merge_state_kernel, "
        "sglang/kernels/ops/elementwise/elementwise.py::fused_rmsnorm_kernel"
    )


def test_a_name_that_fits_several_is_answered_with_their_ids(write_tree: WriteTree) -> None:
    scan = scan_tree(write_tree({"vllm/a.py": KERNEL, "vllm/b.py": KERNEL}))
    with pytest.raises(UsageError) as caught:
        find_kernel(scan, "kernel")
    assert str(caught.value) == "'kernel' names 2 kernels: vllm/a.py::kernel, vllm/b.py::kernel; give the whole id"


def test_of_an_environment_only_the_framework_is_its_tree(tmp_path: Path) -> None:
    text = "import triton\n\n@triton.jit\ndef k(x):\n    pass\n\ndef host(x):\n    k[(1,)](x)\n"
    for package in ("vllm", "other"):
        (tmp_path / "site-packages" / package).mkdir(parents=True)
        (tmp_path / "site-packages" / package / "__init__.py").write_text(text)
    found = scan_tree(tmp_path / "site-packages")
    assert ([kernel.id for kernel in found.kernels], found.files) == (["vllm/__init__.py::k"], 1)

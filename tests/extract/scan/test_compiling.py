from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from extract.scan import scan_tree
from extract.scan.compiling import compilers_of
from extract.scan.masking import read_source
from extract.scan.python_file import PythonFile

WriteTree = Callable[[dict[str, str]], Path]

COMPILE = "import helion\n\ndef build(body, settings):\n    return helion.kernel(**settings)(body)\n\n"
BOX = "class Box:\n    def __init__(self, name, body):\n        self.body = body\n\n    def ready(self):\n        return build(self.body, {})\n\n"  # noqa: E501 - one case a line
HANDING = {
    "by place": "def taking(fn):\n    return build(fn, {})\n",
    "by name": "def taking(fn):\n    return build(settings={}, body=fn)\n",
    "inside": "def taking(name):\n    def decorator(fn):\n        return build(fn, {})\n    return decorator\n",
    "through another": "def last(fn):\n    return build(fn, {})\n\ndef taking(fn):\n    return last(fn)\n",
    "through an object": BOX
    + "def taking(name):\n    def decorator(fn):\n        return Box(name, fn)\n    return decorator\n",
    "through an object by name": BOX + "def taking(fn):\n    return Box(body=fn, name='')\n",
    "through a method": "class Box:\n    def compiled(self, fn):\n        return build(fn, {})\n\n    def taking(self, fn):\n        return self.compiled(fn)\n",  # noqa: E501 - one case a line
}
OTHERS = {
    "what is no parameter": "def taking(fn):\n    return build(OTHER, {})\n",
    "another argument": "def taking(settings):\n    return build(OTHER, settings)\n",
    "another attribute": BOX + "def taking(name):\n    return Box(name, OTHER)\n",
    "a namesake's": "def taking(fn):\n    return other.build(fn, {})\n",
}


def compilers(text: str) -> set[str]:
    file = PythonFile(read_source(text.encode()), "vllm")
    return set(compilers_of(file))


@pytest.mark.parametrize("way", HANDING)
def test_what_hands_its_parameter_to_a_compiler_is_one(way: str) -> None:
    assert {"build", "Box.taking" if way == "through a method" else "taking"} <= compilers(COMPILE + HANDING[way])


@pytest.mark.parametrize("way", OTHERS)
def test_what_hands_it_something_else_is_none(way: str) -> None:
    assert compilers(COMPILE + OTHERS[way]) - {"Box"} == {"build"}


def test_a_decorator_that_wraps_what_it_is_given_in_an_object_makes_a_kernel(write_tree: WriteTree) -> None:
    tree = write_tree(
        {
            "vllm/register.py": COMPILE + HANDING["through an object"],
            "vllm/ops.py": "from vllm.register import taking\n\n@taking('scaled')\ndef scaled(x):\n    return x * 2\n",
            "vllm/model.py": "from vllm.ops import scaled\n\ndef forward(x):\n    return scaled(x)\n",
        }
    )
    (kernel,) = scan_tree(tree).kernels
    assert (kernel.id, kernel.line, kernel.language, kernel.role) == ("vllm/ops.py::scaled", 4, "helion", "kernel")
    assert [host.id for host in kernel.launchers] == ["vllm/model.py::forward"]


def test_the_function_below_a_kernel_is_compiled_again_under_another_name(write_tree: WriteTree) -> None:
    text = (
        "import helion\n\n@helion.kernel()\ndef fixed(x):\n    return x\n\n"
        "varying = helion.kernel(static_shapes=False)(fixed.fn)\n\ndef host(x):\n    return varying(x)\n"
    )
    fixed, varying = scan_tree(write_tree({"vllm/a.py": text})).kernels
    assert [(kernel.name, kernel.line, kernel.role) for kernel in (fixed, varying)] == [
        ("fixed", 4, "kernel"),
        ("varying", 7, "kernel"),
    ]
    assert ([host.qualname for host in varying.launchers], fixed.launchers) == (["host"], ())

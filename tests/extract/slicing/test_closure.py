from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from extract.slicing.closure import close
from extract.slicing.modules import Library
from extract.slicing.pieces import Closure, StoppedError, executable_order
from extract.tree import locate

WriteTree = Callable[[dict[str, str]], Path]


def closure_of(tree: Path, name: str = "host") -> Closure:
    library = Library(locate(tree))
    return close(library, (library.at("vllm/a.py"), name))


def order(closure: Closure) -> list[str]:
    return [",".join(piece.statement.names) for piece in executable_order(closure)]


def test_dependencies_come_first_from_whatever_module(write_tree: WriteTree) -> None:
    tree = write_tree(
        {
            "vllm/a.py": "from vllm.b import limit as most\nimport torch\nimport os\n\n"
            "def host(x):\n    return torch.add(x, most)\n",
            "vllm/b.py": "from vllm.c import *\nlimit = BASE + 1\nunused = 3\n",
            "vllm/c.py": "BASE: int = 2\n",
        }
    )
    closure = closure_of(tree)
    assert order(closure) == ["BASE", "limit", "host"]
    assert closure.aliases == {"most": "limit"}
    assert {kept.text for kept in closure.imports.values()} == {"import torch"}


def test_what_a_framework_hands_on_keeps_the_name_that_its_user_gives_it(write_tree: WriteTree) -> None:
    source = (
        "from vllm.triton_utils import tl\nfrom vllm.triton_utils import tldevice as libdevice\n\n"
        "def host(x):\n    return libdevice.exp(tl.load(x))\n"
    )
    closure = closure_of(write_tree({"vllm/a.py": source}))
    assert {name: kept.text for name, kept in closure.imports.items()} == {
        "tl": "import triton.language as tl",
        "libdevice": "import triton.language.extra.libdevice as libdevice",
    }


def test_a_module_used_as_a_value_keeps_only_what_is_read_of_it(write_tree: WriteTree) -> None:
    tree = write_tree(
        {
            "vllm/a.py": "from vllm import consts\n\ndef host(x):\n    return consts.LIMIT\n",
            "vllm/consts.py": "LIMIT = 1\nOTHER = 2\n",
        }
    )
    closure = closure_of(tree)
    assert (order(closure), closure.namespaces) == (["LIMIT", "host"], {"consts": {"LIMIT": "LIMIT"}})


def test_the_cuda_branch_is_the_one_that_is_sliced(write_tree: WriteTree) -> None:
    tree = write_tree(
        {
            "vllm/a.py": "from vllm.platforms import current_platform\n_cuda = current_platform.is_cuda()\n"
            "if _cuda:\n    from vllm.fast import run\nelse:\n    from aiter import run\n\n"
            "def host(x):\n    if not _cuda:\n        return elsewhere(x)\n    return run(x)\n",
            "vllm/fast.py": "def run(x):\n    return x\n",
            "vllm/platforms/__init__.py": "current_platform = make()\n",
        }
    )
    closure = closure_of(tree)
    assert sorted(order(closure)) == ["_cuda", "host", "run"]
    assert set(closure.shims) == {"current_platform"}
    assert [stub.symbol for stub in closure.stubs.values()] == ["vllm.platforms.current_platform"]


def test_annotations_drag_nothing_in(write_tree: WriteTree) -> None:
    tree = write_tree(
        {
            "vllm/a.py": "from typing import Optional\nfrom vllm.config import VllmConfig\n\n"
            "def host(x, config: Optional[VllmConfig] = None):\n    return x\n",
            "vllm/config.py": "import pydantic\nclass VllmConfig(pydantic.BaseModel): ...\n",
        }
    )
    closure = closure_of(tree)
    assert (order(closure), closure.future) == (["host"], True)
    assert {kept.text for kept in closure.imports.values()} == {"from typing import Optional"}


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        (
            {"vllm/a.py": "import flashinfer\n\ndef host(x):\n    return flashinfer.run(x)\n"},
            "flashinfer: from a package that a harness may not need",
        ),
        (
            {"vllm/a.py": "from vllm.gone import run\n\ndef host(x):\n    return run(x)\n"},
            "vllm.gone.run: not found in the tree, and no stand-in for it",
        ),
        ({"vllm/a.py": "def host(x):\n    return nowhere(x)\n"}, "nowhere: not bound at module level in vllm/a.py"),
        (
            {
                "vllm/a.py": "from vllm.b import run\nTABLE = {}\n\ndef host(x):\n    return run(x, TABLE)\n",
                "vllm/b.py": "TABLE = {}\n\ndef run(x, y):\n    return TABLE[x]\n",
            },
            "TABLE: two different definitions in one slice, the second in vllm/b.py",
        ),
    ],
)
def test_what_stops_an_extraction_is_one_line_that_names_the_symbol(
    files: dict[str, str], reason: str, write_tree: WriteTree
) -> None:
    with pytest.raises(StoppedError) as caught:
        closure_of(write_tree(files))
    assert str(caught.value) == reason


LAZY = """
def host(x):
    from vllm.b import limit as most

    if x > most:
        from vllm.c import rarely
        return rarely(x)
    return most
"""


def test_what_a_function_imports_each_time_is_taken_and_what_it_may_import_is_left(write_tree: WriteTree) -> None:
    tree = write_tree({"vllm/a.py": LAZY, "vllm/b.py": "BASE = 1\nlimit = BASE + 1\n", "vllm/c.py": "rarely = abs\n"})
    closure = closure_of(tree)
    assert sorted(order(closure)) == ["BASE", "host", "limit"]
    assert closure.provided == {"vllm.b": {"limit"}}
    assert {one.symbol: one.reason for one in closure.stubs.values()} == {
        "vllm.c.rarely": "lazy import, branch not available"
    }


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("from elsewhere import value\nlimit = value\n", "from a package that a harness may not need"),
        ("limit = " + " + ".join(f"v{n}" for n in range(110)), "more lines than a name is worth"),
        ("host = 3\n\ndef limit(x):\n    return host\n", "a name that means something else here"),
    ],
)
def test_what_cannot_be_taken_leaves_nothing_of_itself_behind(write_tree: WriteTree, source: str, why: str) -> None:
    many = "".join(f"v{n} = {n}\n" for n in range(110))
    closure = closure_of(write_tree({"vllm/a.py": LAZY, "vllm/b.py": many + source, "vllm/c.py": "rarely = abs\n"}))
    assert (order(closure), closure.provided) == (["host"], {}), why
    assert closure.stubs["vllm.b.limit"].reason == "lazy import, branch not available"


def test_a_table_of_settings_is_read_by_the_name_that_a_function_has_for_it(write_tree: WriteTree) -> None:
    source = "def host():\n    from vllm import envs as e\n    return e.VLLM_X\n"
    envs = "from typing import Any\nVLLM_X: bool = True\n"
    closure = closure_of(write_tree({"vllm/a.py": source, "vllm/envs.py": envs}))
    assert closure.provided == {"vllm": {"envs"}}
    assert closure.settings == {"envs": {"VLLM_X"}}
    assert closure.stubs["vllm.envs"].reason == closure.shims["envs"].reason


def test_what_one_function_always_imports_is_not_left_out_for_another_that_may(write_tree: WriteTree) -> None:
    source = "def other(x):\n    if x:\n        from vllm.b import limit\n        return limit\n\n" + LAZY.replace(
        "return most", "return other(most)"
    )
    closure = closure_of(write_tree({"vllm/a.py": source, "vllm/b.py": "limit = 1\n", "vllm/c.py": "rarely = abs\n"}))
    assert closure.provided == {"vllm.b": {"limit"}}
    assert list(closure.stubs) == ["vllm.c.rarely"]

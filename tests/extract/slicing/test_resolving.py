from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from extract.slicing.modules import Library
from extract.slicing.pieces import KeptImport, ModuleReference, Piece, StoppedError
from extract.slicing.resolving import Resolver
from extract.slicing.shims import Shim
from extract.slicing.truth import Truth
from extract.tree import locate

WriteTree = Callable[[dict[str, str]], Path]

FILES = {
    "vllm/__init__.py": "from vllm.deep import *\n",
    "vllm/deep.py": "from vllm.deeper import limit as most\nfrom vllm import loop\n",
    "vllm/deeper.py": "limit = 3\n",
    "vllm/loop.py": "from vllm.loop import nothing\n",
    "vllm/a.py": """
import os.path
import numpy as np
import elsewhere
from vllm import most
from vllm import deeper
from vllm.platforms import current_platform
from vllm.loop import nothing

if current_platform.is_rocm():
    other = 1

def host(): ...
""",
}


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def library(write_tree: WriteTree) -> Library:
    return Library(locate(write_tree(FILES)))


@pytest.fixture
def resolver(library: Library, said: list[str]) -> Resolver:
    return Resolver(library, Truth(library), lambda symbol, reason: said.append(f"{symbol}: {reason}"))


def test_a_name_leads_through_all_that_hand_it_on(library: Library, resolver: Resolver) -> None:
    found = resolver.find(library.at("vllm/a.py"), "most")
    assert isinstance(found, Piece)
    assert (found.module.name, found.statement.names) == ("vllm.deeper", ("limit",))
    assert resolver.absolute("vllm.most") == found


def test_each_kind_of_thing_is_told_apart(library: Library, resolver: Resolver) -> None:
    module = library.at("vllm/a.py")
    assert resolver.find(module, "np") == KeptImport("numpy", "import numpy as np")
    assert resolver.find(module, "os") == KeptImport("os", "import os.path")
    assert resolver.find(module, "deeper") == ModuleReference("vllm.deeper")
    assert isinstance(resolver.find(module, "current_platform"), Shim)
    assert resolver.find(module, "len") is None


def test_what_another_platform_defines_is_left_out_and_said(
    library: Library, resolver: Resolver, said: list[str]
) -> None:
    assert resolver.find(library.at("vllm/a.py"), "other") is None
    assert said == ["vllm.a.other: defined for another platform only: never reached here"]


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("elsewhere", "elsewhere: from a package that a harness may not need"),
        ("nothing", "vllm.loop.nothing: not found in the tree, and no stand-in for it"),
        ("unbound", "unbound: not bound at module level in vllm/a.py"),
    ],
)
def test_a_name_that_leads_nowhere_is_named(library: Library, resolver: Resolver, name: str, why: str) -> None:
    with pytest.raises(StoppedError) as caught:
        resolver.find(library.at("vllm/a.py"), name)
    assert str(caught.value) == why

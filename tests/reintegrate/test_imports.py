"""One more import in a file, where isort would put it."""

import ast

import pytest

from kmaint.errors import UsageError
from reintegrate.imports import extended, in_groups, with_import
from reintegrate.patch import splice

FILE = """import os

import torch

from vllm.logger import init_logger
from vllm.utils import (
    cdiv,
)

x = 1
"""


def test_it_stands_after_those_that_sort_before_it() -> None:
    edit = with_import("a.py", FILE, "vllm.platforms", "current_platform")
    logger = "from vllm.logger import init_logger\n"
    assert splice(FILE, (edit,)) == FILE.replace(logger, f"{logger}from vllm.platforms import current_platform\n")
    first = with_import("a.py", FILE, "vllm.a", "b")
    assert splice(FILE, (first,)) == FILE.replace(logger, f"from vllm.a import b\n{logger}")


def test_without_any_of_the_package_it_is_a_group_of_its_own() -> None:
    text = "import torch\n\nx = 1\n"
    assert (
        splice(text, (with_import("a.py", text, "vllm.a", "b"),)) == "import torch\n\nfrom vllm.a import b\n\nx = 1\n"
    )
    with pytest.raises(UsageError, match=r"a\.py: imports nothing"):
        with_import("a.py", "x = 1\n", "vllm.a", "b")


def test_an_import_that_is_there_takes_the_names_that_lack() -> None:
    wanted = ["cdiv", "a_rather_long_name_of_a_function", "round_up_to_a_multiple_of"]
    edit = extended("a.py", FILE, "vllm.utils", wanted)
    assert edit is not None
    names = ast.parse(splice(FILE, (edit,))).body[3]
    assert isinstance(names, ast.ImportFrom)
    assert [alias.name for alias in names.names] == sorted(wanted)
    assert extended("a.py", FILE, "vllm.utils", ["cdiv"]) is None


def test_a_new_files_imports_stand_in_groups() -> None:
    found = in_groups(["from vllm.b import c", "import torch", "from typing import Any", "from vllm.a import d"])
    assert found == "from typing import Any\n\nimport torch\n\nfrom vllm.a import d\nfrom vllm.b import c"

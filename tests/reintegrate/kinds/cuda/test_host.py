"""The words of host code are those of the frameworks' own files."""

import re
from pathlib import Path

import pytest

from extract.cuda.contracts import catalogue
from reintegrate.kinds.cuda.host import HOSTS
from tests.reintegrate.kinds.cuda.conftest import OVER, TREES

NAMES = {"vllm": ["get_device_prop"], "sglang": ["get_cc_major", "get_cc_minor"]}


def text_of(framework: str) -> str:
    files = [path for folder in (TREES, OVER) for path in sorted((folder / framework).rglob("*.*"))]
    return "\n".join(path.read_text() for path in files if path.suffix in (".h", ".cuh", ".cu"))


@pytest.mark.parametrize("framework", HOSTS)
def test_what_a_guard_asks_stands_in_the_frameworks_files(framework: str) -> None:
    host, text = HOSTS[framework], text_of(framework)
    for name in NAMES[framework]:
        assert re.search(rf"\b{name}\(", text)
        assert any(f"{name}(" in line for line in host.device)
    header = Path(host.header.strip('<>"')).name
    assert [path for folder in (TREES, OVER) for path in (folder / framework).rglob(header)]


def test_every_dtype_of_a_known_operator_has_a_word() -> None:
    for entry in catalogue():
        dtypes = {one for axis in entry.derived.contract.axes if axis.name == "DT" for one in axis.choices}
        assert dtypes <= HOSTS[entry.framework].dtypes.keys()

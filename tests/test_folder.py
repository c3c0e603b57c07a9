"""The harness folder: regions are split exactly, and a folder that is no harness is refused in one line."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmaint import folder
from kmaint.errors import HarnessError

lines = st.text(alphabet="abc ()=:#\t", max_size=12).filter(lambda line: line != folder.END)
bodies = st.lists(lines, max_size=5).map(lambda body: "".join(f"{line}\n" for line in body))


@given(parts=st.dictionaries(st.tuples(st.sampled_from(["a/b.py", "c.py"]), st.sampled_from(["f", "g.h"])), bodies))
def test_regions_come_back_to_the_byte(parts: dict[tuple[str, str], str]) -> None:
    source = '"""Head."""\n\nimport torch\n'
    for (path, symbol), body in parts.items():
        source += f"\n\n# region {path}:1-2 {symbol}\n{body}{folder.END}\n"
    assert folder.split_regions(source) == parts


def test_a_folder_without_a_manifest(tmp_path: Path) -> None:
    with pytest.raises(HarnessError) as caught:
        folder.read_harness(tmp_path)
    expected = f"{tmp_path}: no harness.toml in it, so not a harness; make one with 'kmaint extract TREE ID -o DIR'"
    assert str(caught.value) == expected


def test_a_harness_without_provenance(tmp_path: Path) -> None:
    (tmp_path / "harness.toml").write_text('kernel = "k"\n')
    with pytest.raises(HarnessError, match=r"no \[provenance\], so its kernel cannot be traced; extract it again$"):
        folder.read_harness(tmp_path)


def test_a_manifest_that_is_no_toml(tmp_path: Path) -> None:
    (tmp_path / "harness.toml").write_text("kernel = \n")
    with pytest.raises(HarnessError, match=r"harness\.toml: Invalid value .*; extract it again$"):
        folder.read_harness(tmp_path)


def test_a_write_is_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "new" / "file.txt"
    folder.write_text(target, "one")
    folder.write_text(target, "two")
    assert target.read_text() == "two"
    assert [path.name for path in target.parent.iterdir()] == ["file.txt"]

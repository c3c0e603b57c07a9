from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from kmaint.evaluate.bench import laid_out, lay, with_more
from kmaint.evaluate.bench.laying import sources_digest
from kmaint.records.harness import Harness


def test_a_candidate_in_triton_is_its_own_file(harness: Harness, tmp_path: Path) -> None:
    lay(harness, "x = 1\n", tmp_path / "candidate.py")
    assert [path.name for path in tmp_path.iterdir()] == ["candidate.py"]
    assert (tmp_path / "candidate.py").read_text() == "x = 1\n"


def test_a_candidate_in_cuda_is_the_harness_s_entry_over_a_copy_of_its_sources(cuda_harness: Harness) -> None:
    with laid_out(cuda_harness, "// another\n") as (scratch, file):
        names = {str(path.relative_to(scratch)) for path in scratch.rglob("*") if path.is_file()}
        assert names == {"candidate.py"} | {
            f"candidate.source/{name}" for name in ("binding.cu", "kernel.cu", "include/csrc/twice.cu")
        }
        # What includes it by its place in the tree finds the candidate's text, not the original's.
        assert (scratch / "candidate.source/include/csrc/twice.cu").read_text() == "// another\n"
        text = file.read_text()
        assert text.startswith((cuda_harness.folder / "kernel.py").read_text())
        assert text.rstrip().endswith("operators = _functools.partial(operators, place=PLACE)")
    with laid_out(cuda_harness, "// a third\n") as (_, file):
        assert file.read_text() != text  # its library has a name of its own
    assert "another" not in cuda_harness.replaced.read_text()


def test_of_a_harness_that_was_copied_without_its_links_the_candidate_is_built_all_the_same(
    cuda_harness: Harness, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(cuda_harness.folder, tmp_path / "copy"))
    assert not (folder / "include/csrc/twice.cu").is_symlink()
    lay(replace(cuda_harness, folder=folder), "// another\n", tmp_path / "candidate.py")
    assert (tmp_path / "candidate.source/include/csrc/twice.cu").read_text() == "// another\n"
    assert (folder / "include/csrc/twice.cu").read_text() == cuda_harness.replaced.read_text()


def test_a_candidate_with_more_below_it_keeps_what_was_built(cuda_harness: Harness, tmp_path: Path) -> None:
    lay(cuda_harness, "", tmp_path / "candidate.py")
    (tmp_path / "candidate.built").mkdir()
    (tmp_path / "candidate.built/x.so").write_text("")
    with_more(tmp_path / "candidate.py", "# more\n", tmp_path / "control.py")
    assert (tmp_path / "control.py").read_text().endswith("# more\n")
    assert (tmp_path / "control.built/x.so").is_file()


def test_the_digest_of_sources_is_of_what_is_compiled(cuda_harness: Harness) -> None:
    before = sources_digest(cuda_harness)
    (cuda_harness.folder / "README.md").write_text("of no consequence")
    assert sources_digest(cuda_harness) == before
    (cuda_harness.folder / "include/more.cuh").write_text("#pragma once")
    assert sources_digest(cuda_harness) != before
    (cuda_harness.folder / "include/more.cuh").unlink()

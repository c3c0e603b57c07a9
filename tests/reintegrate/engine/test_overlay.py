"""Copies of an installation: what a patch may change, what is linked, and that the installation stays as it was."""

from __future__ import annotations

import shutil
import subprocess
import venv
from pathlib import Path

import pytest

from kmaint.errors import MissingError, UsageError
from reintegrate.engine.overlay import Installed, apply, differing, digest, environment_for, find_installed, lay
from tests.reintegrate.engine.conftest import CASE, PatchOf

FASTER = ("vllm/ops/add.py", "time.sleep(0.01)", "time.sleep(0.001)")


@pytest.fixture
def installed() -> Installed:
    return Installed(package="vllm", folder=CASE, version="0.0.1")


def test_the_installation_is_found_without_importing_it(python: Path) -> None:
    found = find_installed(python, "vllm")
    assert found.folder == python.parents[1] / found.folder.relative_to(python.parents[1])
    assert found.folder.name == "vllm"
    with pytest.raises(MissingError, match=f"{python}: no sglang in it"):
        find_installed(python, "sglang")


@pytest.mark.parametrize("prefix", ["", "python"])
def test_a_patch_changes_its_file_in_the_copy_and_nothing_else(
    installed: Installed, patch_of: PatchOf, tmp_path: Path, prefix: str
) -> None:
    before = digest(lay(installed, tmp_path / "before"))
    base, patched = lay(installed, tmp_path / "base"), lay(installed, tmp_path / "patched")
    apply(patched, [patch_of(*FASTER, prefix=prefix)])
    assert differing(base, patched) == ["vllm/ops/add.py"]
    assert digest(base) == before != digest(patched)
    assert not (patched.root / "tests").exists()
    assert "0.01)" in (CASE / "ops" / "add.py").read_text()


def test_a_patch_for_another_release_is_refused(installed: Installed, patch_of: PatchOf, tmp_path: Path) -> None:
    patched = lay(installed, tmp_path / "patched")
    (patched.folder / "ops" / "add.py").write_text("def add(a, b): return a + b\n")
    patch_file = patch_of(*FASTER)
    with pytest.raises(UsageError, match=f"{patch_file}: does not apply to the installed vllm"):
        apply(patched, [patch_file])


NEW_FILE = "diff --git a/{0} b/{0}\nnew file mode 100644\n--- /dev/null\n+++ b/{0}\n@@ -0,0 +1 @@\n+{{}}\n"


def test_new_files_come_along_and_what_is_beside_the_package_does_not(installed: Installed, tmp_path: Path) -> None:
    table = "vllm/ops/configs/E=8,N=64,block_shape=[128,128].json"
    outside = ("tests/vllm/test_add.py", "benchmarks/vllm/add.py", "test_vllm/add.py")
    patch_file = tmp_path / "new.patch"
    patch_file.write_text("".join(NEW_FILE.format(path) for path in (f"python/{table}", *outside)) + "-- \n2.43.0\n")
    base, patched = lay(installed, tmp_path / "base"), lay(installed, tmp_path / "patched")
    apply(patched, [patch_file])
    assert differing(base, patched) == [table]
    assert sorted(path.name for path in patched.root.iterdir()) == ["vllm"]


def test_line_ends_stay_as_they_are_whatever_git_is_set_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gitconfig").write_text("[core]\n\tautocrlf = input\n[apply]\n\twhitespace = fix\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    package = tmp_path / "vllm"
    package.mkdir()
    (package / "__init__.py").write_bytes(b"a = 1\r\nb = 2\r\n")
    patch_file = tmp_path / "crlf.patch"
    head = b"diff --git a/vllm/__init__.py b/vllm/__init__.py\n--- a/vllm/__init__.py\n+++ b/vllm/__init__.py\n"
    patch_file.write_bytes(head + b"@@ -1,2 +1,2 @@\n a = 1\r\n-b = 2\r\n+b = 3  \r\n")
    patched = lay(Installed(package="vllm", folder=package, version=""), tmp_path / "patched")
    apply(patched, [patch_file])
    assert (patched.folder / "__init__.py").read_bytes() == b"a = 1\r\nb = 3  \r\n"


def test_a_copy_within_a_repository_is_patched_all_the_same(
    installed: Installed, patch_of: PatchOf, tmp_path: Path
) -> None:
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    patched = lay(installed, tmp_path / "deep" / "patched")
    apply(patched, [patch_of(*FASTER)])
    assert "0.001" in (patched.folder / "ops" / "add.py").read_text()


def test_an_editable_installation_is_found_and_a_folder_of_that_name_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    venv.create(tmp_path / "venv", with_pip=False)
    python = tmp_path / "venv" / "bin" / "python"
    shutil.copytree(CASE, tmp_path / "checkout" / "vllm")
    (tmp_path / "checkout" / "vllm" / "gone.so").symlink_to(tmp_path / "nowhere")
    site = next((tmp_path / "venv" / "lib").glob("python*")) / "site-packages"
    (site / "vllm.pth").write_text(f"import sys; print('hello')\n{tmp_path / 'checkout'}\n")
    (tmp_path / "elsewhere" / "vllm").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "elsewhere")
    found = find_installed(python, "vllm")
    assert found.folder == tmp_path / "checkout" / "vllm"
    assert (lay(found, tmp_path / "copy").folder / "ops" / "add.py").is_file()


def test_a_patch_of_something_else_is_refused(installed: Installed, tmp_path: Path) -> None:
    patch_file = tmp_path / "other.patch"
    patch_file.write_text("diff --git a/csrc/add.cu b/csrc/add.cu\n")
    with pytest.raises(UsageError, match=r"touches nothing of the package vllm: csrc/add\.cu"):
        apply(lay(installed, tmp_path / "patched"), [patch_file])


def test_what_is_large_is_linked_and_can_be_reached(tmp_path: Path) -> None:
    package = tmp_path / "vllm"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "_C.abi3.so").write_bytes(b"\x7fELF")
    overlay = lay(Installed(package="vllm", folder=package, version=""), tmp_path / "copy")
    linked = overlay.folder / "_C.abi3.so"
    assert linked.read_bytes() == b"\x7fELF"
    assert linked.samefile(package / "_C.abi3.so")
    assert not (overlay.folder / "__init__.py").samefile(package / "__init__.py")


def test_an_engine_learns_of_no_token_and_has_caches_of_its_own(
    installed: Installed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "secret")
    monkeypatch.setenv("GITHUB_TOKEN", "secret")
    monkeypatch.setenv("VLLM_API_KEY", "secret")
    monkeypatch.setenv("VLLM_MAX_TOKENS_PER_EXPERT", "7")
    monkeypatch.setenv("VLLM_USE_V1", "1")
    monkeypatch.setenv("FLASHINFER_USE_CUDA_NORM", "1")
    monkeypatch.setenv("TVM_FFI_CACHE_DIR", "/built")
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    given = environment_for(lay(installed, tmp_path / "base"), tmp_path / "scratch")
    assert "secret" not in given.values()
    assert (given["VLLM_USE_V1"], given["VLLM_MAX_TOKENS_PER_EXPERT"]) == ("1", "7")
    assert (given["FLASHINFER_USE_CUDA_NORM"], given["TVM_FFI_CACHE_DIR"]) == ("1", "/built")
    assert given["PYTHONPATH"] == f"{tmp_path / 'base'}:/elsewhere"
    assert given["TRITON_CACHE_DIR"] == str(tmp_path / "scratch" / "triton_cache_dir")

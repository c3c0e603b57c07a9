"""Where counts go into a patched source, and that they count."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from reintegrate.engine.engagement import count_in, counted, engaged, variables
from reintegrate.engine.overlay import Installed, Overlay, apply, differing, environment_for, lay
from tests.reintegrate.engine.conftest import CASE, PatchOf

KERNEL_CHANGED = ("vllm/ops/add.py", "time.sleep(0.01)", "time.sleep(0.001)")


def places_and_counts(patch_file: Path, tmp_path: Path, program: str) -> dict[str, int]:
    installed = Installed(package="vllm", folder=CASE, version="")
    base, counting = lay(installed, tmp_path / "base"), lay(installed, tmp_path / "counting")
    apply(counting, [patch_file])
    places = count_in(counting, base, differing(base, counting))
    counts = tmp_path / "counts"
    counts.mkdir()
    environment = {**environment_for(counting, tmp_path), **variables(counting, places, counts)}
    subprocess.run([sys.executable, "-c", program], check=True, env=environment)
    return {one.place: one.count for one in engaged(counting, places, counts)}


def test_a_changed_kernel_counts_where_it_is_launched(patch_of: PatchOf, tmp_path: Path) -> None:
    program = "from vllm.ops.add import add\nfor n in range(4): add(n, 1)"
    assert places_and_counts(patch_of(*KERNEL_CHANGED), tmp_path, program) == {"vllm/ops/add.py::_add_kernel": 4}


def test_a_changed_function_counts_where_it_begins_and_zero_is_said(patch_of: PatchOf, tmp_path: Path) -> None:
    patch_file = patch_of("vllm/ops/add.py", "    return -a", "    return 0 - a")
    assert places_and_counts(patch_file, tmp_path, "import vllm") == {"vllm/ops/add.py::unused": 0}


def test_a_data_file_counts_when_it_is_opened(patch_of: PatchOf, tmp_path: Path) -> None:
    (tmp_path / "table.patch").write_text(
        "diff --git a/vllm/ops/table.json b/vllm/ops/table.json\nnew file mode 100644\n--- /dev/null\n"
        "+++ b/vllm/ops/table.json\n@@ -0,0 +1 @@\n+{}\n"
    )
    program = "import vllm.ops, pathlib\n(pathlib.Path(vllm.ops.__file__).parent / 'table.json').read_text()"
    assert places_and_counts(tmp_path / "table.patch", tmp_path, program) == {"vllm/ops/table.json": 1}


SOURCE = '''\
def launch(x):
    """Adds."""
    if x:
        out = kernel[(1,)](
            x,
        )
    return out


class Op:
    def forward(self, x):
        return module.kernel[grid](x)
'''


def test_every_launch_of_a_changed_kernel_is_found_and_nothing_else_moves() -> None:
    text, places = counted(SOURCE, [], {"kernel"}, "a.py")
    assert places == ["a.py::kernel"]
    count = "__import__('kmaint_engaged').came_by('a.py::kernel')\n"
    assert text == SOURCE.replace("        out", f"        {count}        out").replace(
        "        return module", f"        {count}        return module"
    )
    assert counted(SOURCE, [], set(), "a.py") == (SOURCE, [])


METHODS = """\
class First:
    def forward(self, x):
        return x


class Second:
    def forward(self, x):
        @once
        def inner(): return x
        return inner()
"""


def test_a_method_is_told_from_another_of_its_name_and_what_begins_no_line_is_left(tmp_path: Path) -> None:
    """The one that did not change must not count; nor may a count come between a function and its decorator."""
    overlays = [Overlay(root=tmp_path / name, package="vllm") for name in ("base", "counting")]
    for overlay, text in zip(
        overlays, (METHODS.replace("return x\n        return", "return 0\n        return"), METHODS), strict=True
    ):
        overlay.folder.mkdir(parents=True)
        (overlay.folder / "a.py").write_text(text)
    assert count_in(overlays[1], overlays[0], ["vllm/a.py"]) == ["vllm/a.py::Second.forward"]
    count = "        __import__('kmaint_engaged').came_by('vllm/a.py::Second.forward')\n"
    assert (overlays[1].folder / "a.py").read_text() == METHODS.replace("        @once", f"{count}        @once")


DEVICE = """\
@triton.jit
def weigh(x):
    return x * 2


@triton.jit
def middle(x):
    return weigh(x)


@triton.jit
def kernel(x):
    middle(x)


def launch(x):
    run = kernel[(1,)]
    if x: kernel[(2,)](x)
    else: kernel[(3,)](x)
    run(x)
"""


def test_a_changed_device_function_counts_where_kernels_that_call_it_are_launched(tmp_path: Path) -> None:
    overlays = [Overlay(root=tmp_path / name, package="vllm") for name in ("base", "counting")]
    for overlay, text in zip(overlays, (DEVICE.replace("* 2", "* 3"), DEVICE), strict=True):
        overlay.folder.mkdir(parents=True)
        (overlay.folder / "a.py").write_text(text)
    assert count_in(overlays[1], overlays[0], ["vllm/a.py"]) == ["vllm/a.py::kernel"]
    count = "    __import__('kmaint_engaged').came_by('vllm/a.py::kernel')\n"
    assert (overlays[1].folder / "a.py").read_text() == DEVICE.replace("    run =", f"{count}    run =")


def test_what_was_counted_before_a_fork_counts_once(patch_of: PatchOf, tmp_path: Path) -> None:
    program = (
        "import os\nfrom vllm.ops.add import add\nadd(1, 1), add(1, 1)\nif not os.fork(): add(1, 1)\nelse: os.wait()"
    )
    assert places_and_counts(patch_of(*KERNEL_CHANGED), tmp_path, program) == {"vllm/ops/add.py::_add_kernel": 3}

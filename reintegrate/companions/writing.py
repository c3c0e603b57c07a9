"""A test and a benchmark for a patch, written from the harness's contract and its oracle."""

from __future__ import annotations

import ast
import textwrap
from dataclasses import replace
from pathlib import Path

from kmaint.folder import REFERENCE
from kmaint.formatting import format_python
from kmaint.records.change import Check, NewFile, Patch
from kmaint.records.harness import Harness
from reintegrate.companions.inputs import NotPlainError, axes_of, case, make_inputs, refuse_narrow, small_cases
from reintegrate.companions.places import PLACES, Place, group_of, registration
from reintegrate.companions.subject import Subject, subject_of
from reintegrate.imports import in_groups

COLUMNS = 88
TOLERANCES = "{torch.float32: 1e-4, torch.float16: 2e-3, torch.bfloat16: 2e-2}"
RUNS = 'RUNS = torch.cuda.is_available() or os.environ.get("TRITON_INTERPRET") == "1"'


def with_companions(patch: Patch, harness: Harness, tree: Path, *, benchmarks: tuple[str, ...] = ()) -> Patch:
    """The patch with a test, and a benchmark where the tree has none (`benchmarks`); or with why it has no test."""
    place = PLACES.get(harness.provenance.framework)
    if patch.kind == "config":
        return _said(patch, "a table is data: the framework's own lookup was run on it instead")
    if place is None:
        return _said(patch, f"kmaint does not know where {harness.provenance.framework} keeps its tests")
    if harness.language != "triton" or harness.level != "launcher":
        return _said(patch, "the kernel is cut without a launcher that a test could call")
    if not harness.oracle:
        return _said(patch, "the harness has no oracle to test against")
    try:
        refuse_narrow(harness)
        subject = subject_of(patch, harness, place)
        files = [_test(harness, tree, place, subject)]
        if not benchmarks:
            files.append(_benchmark(harness, place, subject))
    except NotPlainError as error:
        return _said(patch, str(error))
    fresh = [file for file in files if not (_top(tree) / file.path).exists()]
    return replace(patch, new=(*patch.new, *fresh))


def _said(patch: Patch, why: str) -> Patch:
    return replace(patch, shown=(*patch.shown, Check(name="a test of its own", state="not_run", detail=why)))


def _top(tree: Path) -> Path:
    return next((folder for folder in (tree, *tree.parents[:2]) if (folder / ".git").exists()), tree)


def _test(harness: Harness, tree: Path, place: Place, subject: Subject) -> NewFile:
    group, name = group_of(place, harness.provenance.path), subject.name
    imports, register = registration(tree) if place.registers else ("", "")
    framework = "import unittest" if place.style == "unittest" else "import pytest"
    head = [
        place.header,
        f'"""`{subject.call}` against a float64 recomputation of it{subject.told}."""\n\n',
        in_groups(["import os", framework, "import torch", *subject.imports, *filter(None, [imports.strip()])]),
        "\n\n",
        f"{register}\n" if register else "",
        f"{RUNS}\n",
        'DEVICE = "cuda" if torch.cuda.is_available() else "cpu"\n',
        f"TOLERANCES = {TOLERANCES}\n",
        f"# {', '.join(axes_of(harness))}\n",
        f"SMALL = [{', '.join(case(harness, axes) for axes in small_cases(harness))}]\n",
        f"SERVED = [{', '.join(case(harness, one.axes) for one in harness.contract.timed)}]\n\n\n",
    ]
    body = UNITTEST if place.style == "unittest" else PYTEST
    parts = [make_inputs(harness), _reference(harness), CHECK, body, *filter(None, [subject.more])]
    text = "".join(head) + "\n\n".join(parts)
    text = text.replace("SUBJECT", subject.call).replace("CLASS", _class_name(name))
    path = f"{place.tests.format(group=group)}/test_{name.strip('_')}_against_float64.py"
    return NewFile(path=path, text=narrow(format_python(text, columns=COLUMNS)), part="test")


def _reference(harness: Harness) -> str:
    """The oracle's functions, without its imports and docstring."""
    source = (harness.folder / REFERENCE).read_text()
    nodes = ast.parse(source).body
    imports = [node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)]
    if strange := [ast.unparse(node) for node in imports if ast.unparse(node) != "import torch"]:
        raise NotPlainError(f"the oracle needs {strange[0]!r}")
    lines = source.splitlines()
    kept = [node for node in nodes if isinstance(node, ast.FunctionDef | ast.Assign | ast.AnnAssign)]
    return "\n\n\n".join("\n".join(lines[node.lineno - 1 : node.end_lineno]) for node in kept) + "\n"


def narrow(source: str) -> str:
    """The source with comments and one-line docstrings broken where they are too long; an oracle's are wider."""
    lines: list[str] = []
    for line in source.splitlines():
        margin = line[: len(line) - len(line.lstrip())]
        text = line.strip()
        if len(line) <= COLUMNS:
            lines.append(line)
        elif text.startswith("# "):
            lines += textwrap.wrap(text[2:], COLUMNS, initial_indent=f"{margin}# ", subsequent_indent=f"{margin}# ")
        elif text.startswith('"""') and text.endswith('"""') and len(text) > len('""""""'):
            lines += textwrap.wrap(text[:-3], COLUMNS, initial_indent=margin, subsequent_indent=margin)
            lines.append(f'{margin}"""')
        else:
            lines.append(line)
    return "\n".join(lines) + "\n"


def _class_name(name: str) -> str:
    return "".join(part.capitalize() for part in name.strip("_").split("_"))


CHECK = '''
def leaf(path, result, inputs):
    """What the call wrote or gave back, by the reference's name for it."""
    if path.startswith("argument "):
        return inputs[path.removeprefix("argument ")]
    return result if path == "return" else result[int(path.removeprefix("return[")[:-1])]


def is_floating(value):
    return isinstance(value, torch.Tensor) and value.is_floating_point()


def check(case):
    inputs = make_inputs(*case, DEVICE)
    exact = {
        name: value.clone().double() if is_floating(value) else value
        for name, value in inputs.items()
    }
    expected = reference(**exact)
    result = SUBJECT(**inputs)
    for path, truth in expected.items():
        actual = leaf(path, result, inputs)
        tolerance = TOLERANCES[actual.dtype]
        torch.testing.assert_close(
            actual.double(), truth.double(), atol=tolerance, rtol=tolerance
        )

'''
UNITTEST = """
class TestCLASS(unittest.TestCase):
    @unittest.skipUnless(RUNS, "needs a CUDA device, or TRITON_INTERPRET=1")
    def test_small_sizes(self):
        for case in SMALL:
            with self.subTest(case=case):
                check(case)

    @unittest.skipUnless(torch.cuda.is_available(), "needs a CUDA device")
    def test_served_sizes(self):
        for case in SERVED:
            with self.subTest(case=case):
                check(case)


if __name__ == "__main__":
    unittest.main()
"""
PYTEST = """
@pytest.mark.skipif(not RUNS, reason="needs a CUDA device, or TRITON_INTERPRET=1")
@pytest.mark.parametrize("case", SMALL, ids=str)
def test_small_sizes(case):
    check(case)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("case", SERVED, ids=str)
def test_served_sizes(case):
    check(case)
"""


def _benchmark(harness: Harness, place: Place, subject: Subject) -> NewFile:
    call, name = subject.call, subject.name
    group = group_of(place, harness.provenance.path)
    names = ", ".join(axes_of(harness))
    served = ", ".join(case(harness, one.axes) for one in harness.contract.timed)
    text = (
        f'{place.header}"""Device time of `{call}` at the sizes that serving calls it with."""\n\n'
        f"{in_groups(['import torch', place.triton.strip(), subject.alone])}\n\n"
        f"# {names}\nSERVED = [{served}]\n\n\n{make_inputs(harness)}\n\n"
        "def main():\n    for case in SERVED:\n"
        '        inputs = make_inputs(*case, "cuda")\n'
        f"        median_ms = triton.testing.do_bench_cudagraph(lambda given=inputs: {call}(**given), "
        'return_mode="median")\n'
        '        print(f"{case}: {median_ms * 1e3:.2f} us")\n\n\n'
        'if __name__ == "__main__":\n    main()\n'
    )
    path = f"{place.benchmarks.format(group=group)}/{place.benchmark.format(name=name.strip('_'))}"
    return NewFile(path=path, text=narrow(format_python(text, columns=COLUMNS)), part="benchmark")

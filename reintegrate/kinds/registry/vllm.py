"""A custom operator of vLLM's: a module of its own that registers the variant as `torch.ops.vllm.NAME`.

vLLM keeps no table of backends. An operator is there once the module that registers it was imported, and then by its
name, for torch.compile and CUDA graphs too. So the module that decides what serves imports it, as vLLM's own modules
import theirs, and only on CUDA: on no other platform could the variant run. What it decides stays as it is.
"""

from __future__ import annotations

import ast
import textwrap
from dataclasses import dataclass, replace
from pathlib import Path

from kmaint.errors import UsageError
from kmaint.folder import KERNEL, sha256, split_regions
from kmaint.records.change import Check, Edit, NewFile, Patch
from kmaint.spans import Source
from reintegrate.companions.places import VLLM
from reintegrate.imports import COLUMNS, extended
from reintegrate.kinds.registry.cycles import reaches
from reintegrate.kinds.registry.elsewhere import Elsewhere, served_elsewhere
from reintegrate.kinds.registry.module import backend_name, module_text
from reintegrate.kinds.registry.operator import Operator, operator_of
from reintegrate.kinds.standing import Beside, outside_as_shipped, stand_beside
from reintegrate.kinds.variant import handed_on
from reintegrate.kinds.win import Declined, Win
from reintegrate.names import dotted
from reintegrate.repository import git

REGISTER, REGISTERS = "direct_register_custom_op", "vllm.utils.torch_utils"
TOLD = "The variant for calls within its guard, the shipped launcher for all others."
PLATFORM, PLATFORMS = "current_platform", "vllm.platforms"


@dataclass(frozen=True, kw_only=True)
class Custom:
    """The operator on its way: its name, its variant, what torch has to know of it, and who is to import it."""

    name: str
    found: Beside
    operator: Operator
    elsewhere: Elsewhere

    @property
    def path(self) -> str:
        """Beside the original's file."""
        return f"{self.found.variant.region.path.rpartition('/')[0]}/{self.name}.py"


def custom_operator(win: Win, tree: Path) -> Patch | Declined:
    """The variant in a module beside the original, which registers it, and an import of it where serving decides."""
    package = tree / win.harness.provenance.path.partition("vllm/")[0]
    registers = package / f"{REGISTERS.replace('.', '/')}.py"
    if not registers.is_file() or f"def {REGISTER}(" not in registers.read_text():
        return Declined(f"the tree has no {REGISTER} in {REGISTERS}")
    elsewhere, name = served_elsewhere(win, tree), backend_name(win)
    if elsewhere is None:
        return Declined("nothing in the tree calls another operator instead, so nothing would import this one")
    found = stand_beside(win, f"use_{name}", whole=True)
    if isinstance(found, Declined):
        return found
    module, decides = dotted(found.variant.region.path, "vllm"), dotted(elsewhere.path, "vllm")
    if reaches(package, [module, REGISTERS, PLATFORMS], decides):
        return Declined(f"{elsewhere.path} cannot import its module, which comes back to that file by way of {module}")
    operator = operator_of(win)
    if isinstance(operator, Declined):
        return operator
    return _patch(win, tree, Custom(name=name, found=found, operator=operator, elsewhere=elsewhere))


def _patch(win: Win, tree: Path, custom: Custom) -> Patch:
    _refuse_taken(tree, custom)
    decides = custom.elsewhere.path
    schema = Check(name="the operator's schema", state="passed", detail=custom.operator.told)
    return Patch(
        edits=_imported(decides, (tree / decides).read_text(), custom),
        files={decides: sha256((tree / decides).read_bytes())},
        kind="registry",
        reason=f"registered as torch.ops.vllm.{custom.name}; what serves stays as it is, and was not timed against it",
        new=(NewFile(path=custom.path, text=_module(win, tree, custom), part="kernel"),),
        shown=(outside_as_shipped(win, custom.found), schema),
    )


def _refuse_taken(tree: Path, custom: Custom) -> None:
    if (tree / custom.path).exists():
        raise UsageError(f"{tree / custom.path}: stands there already", "an earlier variant is there: revise that")
    try:
        taken = git(tree, "grep", "--files-with-matches", "--fixed-strings", f'op_name="{custom.name}"', "--", "*.py")
    except UsageError:
        return  # git's word for nothing found
    raise UsageError(f"{taken.splitlines()[0]} registers {custom.name} already", "give the operator another name there")


def _imported(path: str, text: str, custom: Custom) -> tuple[Edit, ...]:
    """The import, below the file's other ones."""
    package, _, name = dotted(custom.path, "vllm").rpartition(".")
    block = (
        f"\nif {PLATFORM}.is_cuda():\n    # Registers torch.ops.vllm.{name}.\n"
        f"    from {package} import {name}  # noqa: F401\n"
    )
    platform = extended(path, text, PLATFORMS, [PLATFORM])
    last = [node for node in ast.parse(text).body if isinstance(node, ast.Import | ast.ImportFrom)][-1]
    assert last.end_lineno is not None
    if platform is not None and platform.line == last.lineno:
        return (replace(platform, after=platform.after + block, adds=(*platform.adds, name)),)
    lines = "".join(text.splitlines(keepends=True)[last.lineno - 1 : last.end_lineno])
    edit = Edit(
        path=path,
        symbol=",".join(alias.asname or alias.name.partition(".")[0] for alias in last.names),
        line=last.lineno,
        end_line=last.end_lineno,
        before_sha256=sha256(lines),
        after=lines + block,
        adds=(name,),
    )
    return tuple(one for one in (platform, edit) if one is not None)


def _module(win: Win, tree: Path, custom: Custom) -> str:
    """Guard, variant, the operator that chooses between it and the shipped launcher, its fake, and its registration."""
    found, name, entry = custom.found, custom.name, win.harness.entry
    region = found.variant.region
    shipped = split_regions((win.harness.folder / KERNEL).read_text())[region.path, region.symbol]
    given = handed_on(shipped, entry)
    test = f"{found.test.name}({', '.join(found.test.parameters)})"
    both = f"{found.variant.launcher}({given})", f"{entry}({given})"
    chosen = ("if {}:\n    return {}\nreturn {}" if custom.operator.like else "if {}:\n    {}\nelse:\n    {}").format(
        test, *both
    )
    fake = f"return torch.empty_like({custom.operator.like})" if custom.operator.like else "return None"
    body = "\n\n\n".join(
        [
            found.test.source.rstrip("\n"),
            found.variant.source.rstrip("\n"),
            _function(shipped, entry, name, f'"""{TOLD}"""\n{chosen}'),
            _function(shipped, entry, f"_{name}_fake", fake),
            _registration(name, custom.operator),
        ]
    )
    also = {
        REGISTER: f"from {REGISTERS} import {REGISTER}",
        PLATFORM: f"from {PLATFORMS} import {PLATFORM}",
        "torch": "import torch",
    }
    return module_text(win, tree, found, (f"{VLLM.header}{_docstring(entry, custom)}", body), also)


def _docstring(entry: str, custom: Custom) -> str:
    told = (
        f"Registered as `torch.ops.vllm.{custom.name}` once {custom.elsewhere.path} is imported. What that file calls "
        f"stays as it is: this was not timed against {custom.elsewhere.other}."
    )
    lines = "\n".join(textwrap.wrap(told, COLUMNS, break_long_words=False, break_on_hyphens=False))
    return f'"""`{entry}` for calls on which a variant was measured to be faster.\n\n{lines}\n"""\n'


def _function(shipped: str, entry: str, name: str, body: str) -> str:
    """A function of that name with the shipped launcher's parameters."""
    node = Source(shipped).functions[entry]
    node.name, node.body, node.decorator_list = name, ast.parse(body).body, []
    return ast.unparse(node)


def _registration(name: str, operator: Operator) -> str:
    writes = ", ".join(f'"{one}"' for one in operator.writes)
    return (
        f'{REGISTER}(\n    op_name="{name}",\n    op_func={name},\n    mutates_args=[{writes}],\n'
        f"    fake_impl=_{name}_fake,\n)\n"
    )

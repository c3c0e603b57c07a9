"""The generated text of a CUDA harness: binding.cu and kernel.py for an operator that is registered with torch."""

from __future__ import annotations

import re
from dataclasses import dataclass

from extract.cuda.torch_ops import TorchOp

PYTHON_TYPES = {
    "Tensor": "torch.Tensor",
    "int": "int",
    "SymInt": "int",
    "float": "float",
    "bool": "bool",
    "str": "str",
    "ScalarType": "torch.dtype",
    "Device": "torch.device",
}
ARGUMENT = re.compile(
    r"(?P<type>\w+)(?P<list>(?:\[\d*\])*)(?P<optional>\??)\s+(?P<name>\w+)(?:\s*=\s*(?P<default>.+))?"
)
ALIAS = re.compile(r"\(\w*!?\)|!")
"""What a schema says of writing and sharing, which Python does not: `Tensor(a!)`, `Tensor!?`, `Tensor !out`."""


@dataclass(frozen=True)
class Signature:
    """A schema as Python says it: parameters with annotations, the names to hand on, and what comes back."""

    parameters: str
    call: str
    returns: str


class UnknownSchemaError(ValueError):
    """A schema with a type that Python has no name for here."""


def signature(schema: str) -> Signature:
    """The Python signature of `name(Type argument, ...) -> Type`."""
    head, _, returned = schema.rpartition("->")
    inside = head[head.index("(") + 1 : head.rindex(")")]
    parameters: list[str] = []
    names: list[str] = []
    keyword_only = False
    for part in filter(None, (ALIAS.sub("", one).strip() for one in _split(inside))):
        if part == "*":
            keyword_only = True
            parameters.append("*")
            continue
        found = ARGUMENT.fullmatch(part)
        if found is None:
            raise UnknownSchemaError(f"{part}: not read in {schema!r}")
        default = f" = {found['default']}" if found["default"] else ""
        parameters.append(f"{found['name']}: {_type(found, schema)}{default}")
        names.append(f"{found['name']}={found['name']}" if keyword_only else found["name"])
    return Signature(", ".join(parameters), ", ".join(names), _returned(returned.strip(), schema))


def written(schema: str) -> frozenset[str]:
    """The arguments that an operator says it writes: `Tensor(a!) out`, `Tensor! out`, `Tensor!? key`."""
    inside = schema[schema.index("(") + 1 : schema.rpartition("->")[0].rindex(")")]
    return frozenset(part.partition("=")[0].split()[-1] for part in _split(inside) if "!" in part)


def _split(text: str) -> list[str]:
    """At the commas outside brackets."""
    return re.split(r",(?![^(\[]*[)\]])", text)


def _type(found: re.Match[str], schema: str) -> str:
    if found["type"] not in PYTHON_TYPES:
        raise UnknownSchemaError(f"{found['type']}: no Python type for it in {schema!r}")
    plain = PYTHON_TYPES[found["type"]]
    for _ in range(found["list"].count("[")):
        plain = f"list[{plain}]"
    return f"{plain} | None" if found["optional"] else plain


def _returned(text: str, schema: str) -> str:
    inside = ALIAS.sub("", text)
    inside = inside[1:-1] if inside.startswith("(") else inside
    kinds = [_type(found, schema) for part in _split(inside) if (found := ARGUMENT.fullmatch(f"{part.strip()} _"))]
    return "None" if not kinds else kinds[0] if len(kinds) == 1 else f"tuple[{', '.join(kinds)}]"


def binding_source(op: TorchOp, kernel_file: str) -> str:
    """binding.cu: the operator's own registration, in a library whose name the build gives."""
    schema = op.schema.replace("\\", "\\\\").replace('"', '\\"')
    blocks = [
        f"// Generated: registers `{op.id}` as the tree does, in a library of its own name.\n"
        "#include <torch/csrc/stable/library.h>\n"
    ]
    if op.declared or op.registered:
        blocks.append(f"// The file registers by itself, under a name that the shipped library has.\n{_renamed(op)}")
    blocks.append(f'#include "{kernel_file}"\n')
    if not op.declared:
        blocks.append(f'STABLE_TORCH_LIBRARY_FRAGMENT(KMAINT_LIBRARY, ops) {{\n  ops.def("{schema}");\n}}\n')
    if not op.registered:
        blocks.append(
            "STABLE_TORCH_LIBRARY_IMPL(KMAINT_LIBRARY, CUDA, ops) {\n"
            f'  ops.impl("{op.name}", TORCH_BOX(&{op.function}));\n}}\n'
        )
    return "\n".join(blocks)


def _renamed(op: TorchOp) -> str:
    return f"#define {op.namespace} KMAINT_LIBRARY\n"


def kernel_source(op: TorchOp, title: str, flags: tuple[str, ...], folders: tuple[str, ...]) -> str:
    """kernel.py: the operator under its own signature; unformatted."""
    stated = signature(op.schema)
    name = python_name(op)
    return f'''\
"""{title}"""

from __future__ import annotations

import torch
from runtime.torch_library import operators

OPERATOR = "{op.name}"
FLAGS = {flags!r}
FOLDERS = {folders!r}


def {name}({stated.parameters}) -> {stated.returns}:
    """`{op.schema}`, compiled at the first call."""
    return operators(FLAGS, FOLDERS).{op.name}({stated.call})
'''


def python_name(op: TorchOp) -> str:
    """`scaled_fp4_quant.out` is an overload: `scaled_fp4_quant_out`."""
    return op.name.replace(".", "_")

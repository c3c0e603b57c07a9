"""Says of a harness's launcher what PyTorch has to know of an operator: its schema, what it writes and gives back.

Run with the target's interpreter and TRITON_INTERPRET=1: `operator_worker.py HARNESS`, a JSON object on standard input.
The launcher runs on the cases that it is given; the schema is what `torch.library.infer_schema` makes of it.
"""

from __future__ import annotations

import importlib
import json
import re
import sys
from pathlib import Path
from typing import Any

import torch


def main() -> None:
    asked: dict[str, Any] = json.load(sys.stdin)
    folder = Path(sys.argv[1])
    sys.path.insert(0, str(folder))
    cases, performing = (importlib.import_module(f"runtime.{name}") for name in ("cases", "performing"))
    entry = getattr(importlib.import_module("kernel"), asked["entry"])
    contract = cases.Contract.read(folder)
    written, gives = set(asked["writes"]), set[str]()
    like: set[str] | None = None
    for axes in asked["cases"]:
        outcome = performing.perform(entry, contract, cases.Case(seed=7, **axes), "cpu")
        if outcome.error:
            say(error=f"on {axes} it raises {outcome.error}")
            return
        arguments = {one.path.removeprefix("argument "): one for one in outcome.leaves if one.path.startswith("argum")}
        returned = [one for one in outcome.leaves if one.path.startswith("return")]
        written |= {name for name, leaf in arguments.items() if leaf.written}
        gives |= {f"the memory of {one.alias}" if one.alias else kind_of(one) for one in returned}
        alike = {name for name, leaf in arguments.items() if all(looks(leaf) == looks(one) for one in returned)}
        like = alike if like is None else like & alike
    try:
        schema = torch.library.infer_schema(entry, mutates_args=sorted(written))
    except ValueError as error:
        say(error=first_of(str(error)))
        return
    say(schema=schema, writes=sorted(written), gives=sorted(gives), like=sorted(like or ()), torch=torch.__version__)


def first_of(text: str) -> str:
    """What torch says is wrong, without what would be right and the whole signature."""
    words = " ".join(text.split()).removeprefix("infer_schema(func): ")
    return re.split(r"\.? (?:The valid types|Got func|Please add)|\.$", words)[0].rstrip(".")


def kind_of(leaf: Any) -> str:
    """What a call gave back, in a word: the only thing, or one of several."""
    word = "a tensor" if leaf.kind == "tensor" else leaf.value
    return word if leaf.path == "return" else f"{word} among others"


def looks(leaf: Any) -> tuple[Any, ...]:
    return leaf.shape, leaf.dtype, tuple(leaf.strides)


def say(**told: Any) -> None:
    sys.stdout.write("\n" + json.dumps(told) + "\n")


if __name__ == "__main__":
    main()

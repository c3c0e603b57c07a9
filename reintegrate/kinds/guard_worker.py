"""Holds a guard against cases, and code outside it against the shipped code, in a harness folder.

Run with the target's interpreter and TRITON_INTERPRET=1: `guard_worker.py HARNESS PATCHED`, a JSON object on standard
input. The guard sees each tensor as if on the device that was measured. Prints how many cases ran, and why the shipped
code ran on none of the others: nothing can be held against it then.
"""

from __future__ import annotations

import importlib.util
import inspect
import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import torch


class Platform:
    """A harness's stand-in for vLLM's platform, as if on the device that was measured or on another."""

    def __init__(self, capability: tuple[int, int], original: Any) -> None:
        self.capability, self.original = capability, original

    def __getattr__(self, name: str) -> Any:
        return getattr(self.original, name)

    def is_cuda(self) -> bool:
        return True

    def is_device_capability(self, asked: tuple[int, int]) -> bool:
        return tuple(asked) == self.capability


class Reached(Exception):
    """The variant was called, or its kernel launched."""


class Refused:
    """Stands in for it where it must not run."""

    def __call__(self, *_: Any, **__: Any) -> None:
        raise Reached("the variant ran outside its guard")

    def __getitem__(self, _: Any) -> None:
        raise Reached("the variant was launched outside its guard")


def load(path: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    vars(module)["torch"] = torch  # as in the framework's file: a harness whose kernel needs none has no such import
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def as_measured(value: Any) -> Any:
    """A tensor as the guard would see it on a GPU."""
    if isinstance(value, torch.Tensor):
        return SimpleNamespace(shape=value.shape, dtype=value.dtype, is_cuda=True, device="cuda:0")
    return value


def on(module: ModuleType, capability: tuple[int, int]) -> None:
    """From now on, the device is of that capability."""
    original = vars(module).get("current_platform")
    original = original.original if isinstance(original, Platform) else original
    vars(module)["current_platform"] = Platform(capability, original)
    torch.cuda.get_device_capability = lambda _=None: capability


def bits(call: Any, given: Any) -> list[bytes]:
    """Every byte that a call may have written or given back."""
    leaves = given if isinstance(given, (tuple, list)) else (given,)
    tensors = [leaf for leaf in leaves if isinstance(leaf, torch.Tensor)]
    raw = [buffer.raw for buffer in call.buffers.values()]
    return [one.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes() for one in [*tensors, *raw]]


def main() -> None:
    asked: dict[str, Any] = json.load(sys.stdin)
    folder, patched_file = Path(sys.argv[1]), Path(sys.argv[2])
    sys.path.insert(0, str(folder))
    from runtime.building import build, shaped  # type: ignore[import-not-found]
    from runtime.cases import Case, Contract  # type: ignore[import-not-found]

    contract, capability = Contract.read(folder), tuple(asked["capability"])
    shipped, patched = load(folder / "kernel.py", "shipped"), load(patched_file, "patched")
    guard = getattr(patched, asked["predicate"])
    names = guard.__code__.co_varnames[: guard.__code__.co_argcount]
    parameters = inspect.signature(getattr(shipped, asked["entry"])).parameters
    defaults = {name: parameters[name].default for name in names}
    for case in asked["cases"]:
        arguments = {**defaults, **shaped(contract, case["axes"])}
        seen = [as_measured(arguments[name]) for name in names]
        on(patched, capability)
        assert bool(guard(*seen)) == case["inside"], f"{case['axes']} is on the wrong side"
        on(patched, (capability[0] + 1, 0))
        assert not guard(*seen), f"{case['axes']} passes on another architecture"
    on(patched, capability)

    vars(patched)[asked["variant"]] = Refused()
    vars(patched)[asked["predicate"]] = lambda *given: guard(*map(as_measured, given))
    entry = getattr(patched, asked["entry"])
    not_taken = ""
    for axes in asked["taken"]:
        try:
            entry(**build(contract, Case(seed=7, **axes), "cpu").arguments)
            not_taken = f"{axes} passes the guard, and never comes to the variant"
        except Reached:
            pass
        except Exception as error:  # noqa: BLE001 - whatever a launcher says on a processor
            not_taken = f"{axes}: {type(error).__name__}: {error}"

    def left(module: ModuleType, axes: dict[str, Any]) -> tuple[Any, str]:
        """What a call leaves behind, and nothing; or the type of what it raises, and its first words."""
        call = build(contract, Case(seed=7, **axes), "cpu")
        try:
            return bits(call, getattr(module, asked["entry"])(**call.arguments)), ""
        except Reached:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a launcher or its interpreter says on a processor
            return type(error), f"{axes}: {type(error).__name__}: {error}".splitlines()[0]

    ran, cannot = 0, ""
    for axes in asked["run"]:
        (expected, failed), (actual, _) = left(shipped, axes), left(patched, axes)
        assert actual == expected, f"{axes} differs from the shipped code"
        ran, cannot = ran + (not failed), failed or cannot
    sys.stdout.write(json.dumps({"ran": ran, "cannot": cannot, "not_taken": not_taken}) + "\n")


if __name__ == "__main__":
    main()

"""Edits the watched modules on their way in, so that their functions and kernels hand over how they are called."""

from __future__ import annotations

import ast
import importlib.abc
import importlib.machinery
import inspect
import sys
import warnings
from collections.abc import Callable, Sequence
from types import CodeType, ModuleType
from typing import Any

from .counting import Recorder


class Editor:
    """Puts the recorder's statements into one module's syntax tree."""

    def __init__(self, functions: dict[str, int], kernels: dict[str, int]) -> None:
        self.functions, self.kernels = functions, kernels
        self.parameters: dict[int, tuple[str, ...]] = {}
        """Those of each function that was found."""

    def edit(self, source: bytes, filename: str) -> CodeType:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # said at the first import, but not of what is cached
            tree = ast.parse(source, filename)
            self.visit(tree.body, "")
            return compile(ast.fix_missing_locations(tree), filename, "exec", dont_inherit=True)

    def visit(self, body: Sequence[ast.AST], prefix: str) -> None:
        for node in body:
            if isinstance(node, ast.ClassDef):
                self.visit(node.body, f"{prefix}{node.name}.")
            elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                qualname = prefix + node.name
                self.visit(node.body, f"{qualname}.<locals>.")
                self.mark(node, qualname)
            else:
                for field in ("body", "orelse", "finalbody", "handlers", "cases"):
                    self.visit(getattr(node, field, ()), prefix)

    def mark(self, node: ast.FunctionDef | ast.AsyncFunctionDef, qualname: str) -> None:
        if qualname in self.kernels and node.decorator_list:
            outermost = node.decorator_list[0]
            watch = ast.parse(f"__kmaint_kernel_{self.kernels[qualname]}__", mode="eval").body
            # The first decorator's line is the function's own first line, from which its source is read.
            node.decorator_list.insert(0, _located(watch, outermost))
        if qualname in self.functions:
            index = self.functions[qualname]
            given = node.args
            names = [one.arg for one in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
            names += [one.arg for one in (given.vararg, given.kwarg) if one is not None]
            self.parameters[index] = tuple(names)
            # torch.compile takes its own word for `is_dynamo_compiling` and never sees the call behind it.
            due = f"not __kmaint_compiling__() and __kmaint_due_{index}__()"
            text = f"if {due}: __kmaint_see_{index}__({', '.join(names)})"
            after = 1 if ast.get_docstring(node, clean=False) is not None else 0
            node.body.insert(after, _located(ast.parse(text).body[0], node.body[min(after, len(node.body) - 1)]))


def _located(made: Any, like: ast.expr | ast.stmt) -> Any:
    for node in ast.walk(made):
        ast.copy_location(node, like)
    return made


class Finder(importlib.abc.MetaPathFinder):
    """Finds what the finders after it find, and edits the watched modules on their way in."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.modules: dict[str, list[int]] = {}
        for index, one in enumerate(recorder.watched):
            self.modules.setdefault(one["module"], []).append(index)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname not in self.modules:
            return None
        for finder in sys.meta_path:
            find = None if finder is self else getattr(finder, "find_spec", None)
            spec: importlib.machinery.ModuleSpec | None = find(fullname, path, target) if find else None
            if spec is not None:
                if isinstance(spec.loader, importlib.machinery.SourceFileLoader):
                    spec.loader = Loader(spec.loader, self.recorder, self.modules[fullname])
                return spec
        return None


class Loader(importlib.abc.Loader):
    """Executes an edited module; the module itself gets to see its own loader."""

    def __init__(self, inner: importlib.machinery.SourceFileLoader, recorder: Recorder, watched: list[int]) -> None:
        self.inner, self.recorder, self.watched = inner, recorder, watched

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return self.inner.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        assert module.__spec__ is not None
        module.__spec__.loader = module.__loader__ = self.inner
        try:
            code = self.edited(module)
        except (ImportError, OSError, SyntaxError, ValueError):  # whichever it is, the plain import says it better
            self.inner.exec_module(module)
        else:
            exec(code, module.__dict__)  # noqa: S102 - what importing a module is

    def edited(self, module: ModuleType) -> CodeType:
        import torch  # a module that launches kernels needs it anyway

        recorder = self.recorder
        named = [(recorder.watched[index], index) for index in self.watched]
        editor = Editor(
            functions={one["qualname"]: index for one, index in named if not one["kernel"]},
            kernels={one["qualname"]: index for one, index in named if one["kernel"]},
        )
        filename = self.inner.get_filename(module.__name__)
        code = editor.edit(self.inner.get_data(filename), filename)
        module.__dict__["__kmaint_compiling__"] = torch.compiler.is_dynamo_compiling
        for index, names in editor.parameters.items():
            due, see = recorder.watch(index, _namer(names))
            module.__dict__.update({f"__kmaint_due_{index}__": due, f"__kmaint_see_{index}__": see})
        for index in editor.kernels.values():
            module.__dict__[f"__kmaint_kernel_{index}__"] = _kernel_watcher(recorder, index)
        return code


def _namer(names: tuple[str, ...]) -> Callable[..., dict[str, object]]:
    return lambda *values: dict(zip(names, values, strict=True))


def _kernel_watcher(recorder: Recorder, index: int) -> Callable[[Any], Any]:
    """A decorator that watches the launches of a kernel, under its autotuner, heuristics or staticmethod."""

    def watch(decorated: Any) -> Any:
        kernel = decorated
        while kernel is not None and not callable(getattr(kernel, "run", None)):
            kernel = getattr(kernel, "__func__", None) or getattr(kernel, "fn", None)
        if kernel is not None:  # else a stand-in for Triton where there is none, which launches nothing
            kernel.run = _watched_run(recorder, index, kernel)
        return decorated

    return watch


def _watched_run(recorder: Recorder, index: int, kernel: Any) -> Callable[..., Any]:
    run, function = kernel.run, kernel
    while not inspect.isfunction(function):
        function = function.fn
    parameters = inspect.signature(function).parameters
    names = tuple(parameters)
    defaults = {one.name: one.default for one in parameters.values() if one.default is not one.empty}

    def named(args: tuple[object, ...], options: tuple[str, ...], *values: object) -> dict[str, object]:
        given = dict(zip(options, values, strict=True))
        grid = given.pop("grid")
        given.pop("warmup", None)
        bound = {**defaults, **dict(zip(names, args, strict=False)), **given}
        in_order = {name: bound.pop(name) for name in names if name in bound}
        sizes = _sizes(grid, {**in_order, **bound})
        return {**in_order, **bound, "launch_grid" if "grid" in names else "grid": sizes}

    due, see = recorder.watch(index, named)

    def watched(*args: object, **options: object) -> object:
        if not options.get("warmup") and due():
            see(args, tuple(options), *options.values())
        return run(*args, **options)

    return watched


def _sizes(grid: Any, bound: dict[str, object]) -> object:
    """A grid as given, or worked out; None where it asks for a size that the autotuner sets."""
    if not callable(grid):
        return grid
    try:
        return grid(bound)
    except (KeyError, TypeError):
        return None

"""Records, inside somebody else's program, how chosen functions and kernels are called. Needs torch and nothing else.

Started by hook/sitecustomize.py. A chosen module is compiled from its source with one statement more in each chosen
function, which hands over its parameters, and one decorator more on each chosen kernel, which watches its `run`. So
signatures, identities, line numbers and source texts stay what they are, whoever decorates, registers or imports them.

Each process writes two files. NAME.jsonl gets one line for each new way of being called, when it is first seen.
NAME.counts is mapped memory with one 64-bit counter for each of them: a process that is killed loses no count.
"""

from __future__ import annotations

import ast
import contextlib
import importlib.abc
import importlib.machinery
import inspect
import json
import mmap
import os
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from types import CodeType, ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

INSTRUCTIONS = "KMAINT_CAPTURE"
"""Environment variable that names the JSON file with `folder`, `limit`, `sampled`, `values` and `watched`: a list of
{module, qualname, kernel} in which a position is what the files call a watched function or kernel."""

OVERFLOW, FAILED, FIRST = 0, 1, 2
"""A watched one's counters: calls of ways beyond the limit, calls that could not be described, then its ways."""

LONGEST_TEXT = 200
"""Characters of a string argument: an option's name is shorter, and what is longer is not ours to keep."""

TENSOR, PLAIN, FLAG, SEQUENCE, CONSTEXPR, OBJECT, TRACED = range(7)
PLAIN_TYPES = (int, float, str, type(None))


class Unrecordable(Exception):
    """A call that only a tracer makes, with tensors that hold nothing."""


class Sink:
    """The two files of this process, made when its first call is seen; a forked child makes its own."""

    def __init__(self, folder: str, counters: int) -> None:
        stem = os.path.join(folder, f"{os.getpid()}-{os.urandom(4).hex()}")  # noqa: PTH118 - pathlib costs every start
        counts = os.open(f"{stem}.counts", os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
        os.posix_fallocate(counts, 0, counters * 8)  # a full disk is an error now, not a SIGBUS later
        self.counts = memoryview(mmap.mmap(counts, counters * 8)).cast("Q")
        os.close(counts)
        self.lines = os.open(f"{stem}.jsonl", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)
        self.write({"process": os.getpid(), "python": sys.version.split()[0], **_platform()})

    def write(self, line: dict[str, object]) -> None:
        os.write(self.lines, json.dumps(line).encode() + b"\n")


def _platform() -> dict[str, object]:
    import torch

    device = torch.cuda.get_device_name() if torch.cuda.is_initialized() else None
    return {"torch": torch.__version__, "device": device}


class Recorder:
    """All that is watched in this process."""

    def __init__(self, instructions: dict[str, Any]) -> None:
        self.folder: str = instructions["folder"]
        self.limit: int = instructions["limit"]
        self.sampled: int = instructions["sampled"]
        self.values: int = instructions["values"]
        self.watched: list[dict[str, Any]] = instructions["watched"]
        self.kinds: dict[type, int] = {bool: FLAG, list: SEQUENCE, tuple: SEQUENCE, **dict.fromkeys(PLAIN_TYPES, PLAIN)}
        self.ways: list[dict[tuple[object, ...], int]] = [{} for _ in self.watched]
        self.counts: Any = ()
        self._sink: Sink | None = None
        self._lock = threading.RLock()

    def begin_again(self) -> None:
        """In a forked child: its calls are its own, and so are its files."""
        for ways in self.ways:
            ways.clear()
        self._sink, self.counts = None, ()
        self._lock = threading.RLock()

    def sink(self) -> Sink:
        with self._lock:
            if self._sink is None:
                self._sink = Sink(self.folder, len(self.watched) * (self.limit + FIRST))
                self.counts = self._sink.counts
            return self._sink

    def fail(self, index: int) -> None:
        """Count a call that could not be described; where even that fails, the disk is full or the folder gone."""
        with contextlib.suppress(OSError):
            self.sink().counts[index * (self.limit + FIRST) + FAILED] += 1

    def seer(self, index: int, arguments: Callable[..., dict[str, object]]) -> Callable[..., None]:
        """What counts a call of watched `index`, given its values; `arguments` names them when a way is new."""
        ways, key_of = self.ways[index], self.key

        def see(*values: object) -> None:
            try:
                key = key_of(values)
                counter = ways.get(key)
                if counter is None:
                    counter = self.first_sight(index, key, lambda: arguments(*values))
                # No other thread runs between the load and the store: CPython switches at calls and jumps back only.
                self.counts[counter] += 1
            except Unrecordable:
                return
            except Exception:  # noqa: BLE001 - whatever goes wrong here is none of the program's business
                self.fail(index)

        return see

    def key(self, values: Iterable[object]) -> tuple[object, ...]:
        """Equal for calls of the same shapes, dtypes, strides, alignments, plain values and pairs at one address.

        On the path of every call, so one loop with the most common kinds first.
        """
        kinds, key = self.kinds, list[object]()
        addresses: list[int] = []
        append = key.append
        for value in values:
            kind = kinds.get(type(value))
            if kind is None:
                kind = self.kind(value)
            if kind == TENSOR:
                address = value.data_ptr()  # type: ignore[attr-defined]
                addresses.append(address)
                append((value.dtype, value.shape, value.stride(), address & 15))  # type: ignore[attr-defined]
            elif kind == PLAIN:
                append(value)
            elif kind == FLAG:
                append(str(value))
            elif kind == OBJECT:
                append(type(value))
            elif kind == SEQUENCE:
                append(self.key(value))  # type: ignore[arg-type]
            elif kind == CONSTEXPR:
                append(self.key((value.value,)))  # type: ignore[attr-defined]
            else:
                raise Unrecordable
        append(len(addresses) - len(set(addresses)))
        return tuple(key)

    def kind(self, value: object) -> int:
        """The kind of a value's type, worked out once for each type."""
        import torch

        cls = type(value)
        if isinstance(value, torch.Tensor):
            found = TRACED if cls.__name__ in ("FakeTensor", "FunctionalTensor") else TENSOR
        elif isinstance(value, torch.dtype):
            found = PLAIN
        elif isinstance(value, (list, tuple)):
            found = SEQUENCE
        else:
            found = CONSTEXPR if cls.__name__ == "constexpr" and hasattr(value, "value") else OBJECT
        self.kinds[cls] = found
        return found

    def first_sight(self, index: int, key: tuple[object, ...], arguments: Callable[[], dict[str, object]]) -> int:
        """The counter of a new way, which is described first; that of the overflow beyond the limit."""
        ways, first = self.ways[index], index * (self.limit + FIRST)
        if len(ways) >= self.limit:
            return first + OVERFLOW
        with self._lock:
            if key in ways:  # another thread was faster
                return ways[key]
            sight = Sight(self.values if len(ways) < self.sampled else 0)
            described = {name: sight.describe(value) for name, value in arguments().items()}
            counter = first + FIRST + len(ways)
            self.sink().write({"watched": index, "counter": counter, "graph": sight.capturing, "arguments": described})
            ways[key] = counter
            return counter


class Sight:
    """Describes the arguments of one call, in the JSON of kmaint.records.call; `values` of an index tensor are kept."""

    def __init__(self, values: int) -> None:
        import torch

        self.torch, self.values = torch, values
        self.capturing = torch.cuda.is_initialized() and torch.cuda.is_current_stream_capturing()
        self.storages: dict[int, int] = {}

    def describe(self, value: Any) -> object:
        if isinstance(value, self.torch.Tensor):
            return self.tensor(value)
        if isinstance(value, self.torch.dtype):
            return {"dtype": str(value).removeprefix("torch.")}
        if isinstance(value, (list, tuple)):
            return {"items": [self.describe(item) for item in value]}
        cls = type(value)
        if cls in (*PLAIN_TYPES, bool) and not (cls is str and len(value) > LONGEST_TEXT):
            return value
        if cls.__name__ == "constexpr":
            return self.describe(value.value)
        return {"type": f"{cls.__module__}.{cls.__qualname__}"}

    def tensor(self, tensor: torch.Tensor) -> dict[str, object]:
        address = tensor.untyped_storage().data_ptr()
        found: dict[str, object] = {
            "shape": list(tensor.shape),
            "stride": list(tensor.stride()),
            "dtype": str(tensor.dtype).removeprefix("torch."),
            "storage": self.storages.setdefault(address, len(self.storages)),
            "offset": tensor.storage_offset(),
        }
        whole = not (tensor.is_floating_point() or tensor.is_complex() or tensor.dtype is self.torch.bool)
        if whole and tensor.numel() and not self.capturing:  # a copy to the host would spoil a graph's capture
            with self.torch.no_grad():
                low, high = self.torch.aminmax(tensor)
                found |= {"low": int(low), "high": int(high)}
                if self.values:
                    found["values"] = _leading(tensor, self.values).flatten()[: self.values].tolist()
        return found


def _leading(tensor: torch.Tensor, count: int) -> torch.Tensor:
    """A view of the leading part that holds `count` elements in row-major order, and little more."""
    while tensor.dim() > 1 and tensor.numel() > count:
        row = tensor.numel() // tensor.shape[0]
        if row < count:
            return tensor[: -(-count // row)]
        tensor = tensor[0]
    return tensor[:count] if tensor.dim() else tensor


class Editor:
    """Puts the recorder's statements into one module's syntax tree."""

    def __init__(self, functions: dict[str, int], kernels: dict[str, int]) -> None:
        self.functions, self.kernels = functions, kernels
        self.parameters: dict[int, tuple[str, ...]] = {}
        """Those of each function that was found."""

    def edit(self, source: bytes, filename: str) -> CodeType:
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
            text = f"if not __kmaint_compiling__(): __kmaint_seen_{index}__({', '.join(names)})"
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
            module.__dict__[f"__kmaint_seen_{index}__"] = recorder.seer(index, _namer(names))
        for index in editor.kernels.values():
            module.__dict__[f"__kmaint_kernel_{index}__"] = _kernel_watcher(recorder, index)
        return code


def _namer(names: tuple[str, ...]) -> Callable[..., dict[str, object]]:
    return lambda *values: dict(zip(names, values, strict=True))


def _kernel_watcher(recorder: Recorder, index: int) -> Callable[[Any], Any]:
    """A decorator that watches the launches of a kernel, under its autotuner, heuristics or staticmethod."""

    def watch(decorated: Any) -> Any:
        kernel = decorated
        while not callable(getattr(kernel, "run", None)):
            inner = getattr(kernel, "__func__", None) or getattr(kernel, "fn", None)
            if inner is None:
                recorder.fail(index)
                return decorated
            kernel = inner
        kernel.run = _watched_run(recorder, index, kernel)
        return decorated

    return watch


def _watched_run(recorder: Recorder, index: int, kernel: Any) -> Callable[..., Any]:
    run = kernel.run
    function = kernel
    while not inspect.isfunction(function):
        function = function.fn
    parameters = inspect.signature(function).parameters
    names = tuple(parameters)
    defaults = {one.name: one.default for one in parameters.values() if one.default is not one.empty}

    def arguments(args: tuple[object, ...], options: tuple[str, ...], *values: object) -> dict[str, object]:
        given = dict(zip(options, values, strict=True))
        del given["warmup"]
        grid = given.pop("grid")
        bound = {**defaults, **dict(zip(names, args, strict=False)), **given}
        in_order = {name: bound.pop(name) for name in names if name in bound}
        if callable(grid):
            try:
                grid = grid({**in_order, **bound})
            except (KeyError, TypeError):  # of a size that the autotuner sets
                grid = None
        return {**in_order, **bound, "grid": grid}

    see = recorder.seer(index, arguments)

    def watched(*args: object, **options: object) -> object:
        if not options.get("warmup"):
            see(args, tuple(options), *options.values())
        return run(*args, **options)

    return watched


def start() -> None:
    """Watch what the instructions name, from now on and in forked children; nothing without instructions."""
    path = os.environ.get(INSTRUCTIONS)
    if path:
        with open(path) as file:  # noqa: PTH123 - pathlib costs every start
            recorder = Recorder(json.load(file))
        sys.meta_path.insert(0, Finder(recorder))
        os.register_at_fork(after_in_child=recorder.begin_again)

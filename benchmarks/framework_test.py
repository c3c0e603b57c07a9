"""Runs tests of a framework's own, from its source tree, where neither the framework nor a GPU is there.

Runs in forks of a warm interpreter (kmaint/forking), by benchmarks/mutation.py. The test's file is the framework's, and
it is pytest that runs it. What stands in for what is not there:

- a module of the framework is its file of the tree, run statement by statement; a statement that fails, because it
  needs what is not installed, leaves absent names behind, and a test that uses one of them fails and does not count;
- the file under test is the tree's with a mutant's edits made;
- "cuda" is the CPU, and kernels run under Triton's interpreter;
- the platform says that it is a CUDA device of compute capability 9.0.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import json
import logging
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

MOST_NESTED = 4
"""How deep the framework's files may import one another before the next is absent: all of it would take minutes."""


GIVEN_UP = 8
"""After so many cases of a test of which none passed, its others are not tried."""


class AbsentError(Exception):
    """Something of the framework was used that is not there."""


class Absent:
    """A name of the framework that is not there: it may be mentioned while files are read, and not used afterwards."""

    reading = 0

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Absent:
        if name.startswith("__"):
            raise AttributeError(name)
        return Absent(f"{self._name}.{name}")

    def __call__(self, *given: Any, **options: Any) -> Any:
        if not Absent.reading:
            raise AbsentError(f"{self._name} is not here")
        decorates = len(given) == 1 and not options and callable(given[0]) and not isinstance(given[0], Absent)
        return given[0] if decorates else Absent(f"{self._name}()")

    def __mro_entries__(self, _bases: tuple[object, ...]) -> tuple[type, ...]:
        return (object,)

    def __getitem__(self, _item: object) -> Absent:
        return self

    def __or__(self, _other: object) -> Absent:
        return self

    __ror__ = __or__

    def __bool__(self) -> bool:
        if not Absent.reading:
            raise AbsentError(f"{self._name} is not here")
        return False

    def __iter__(self) -> Iterator[Any]:
        raise AbsentError(f"{self._name} is not here")


@contextlib.contextmanager
def reading() -> Iterator[None]:
    """While the block lasts, absent names may be mentioned."""
    Absent.reading += 1
    try:
        yield
    finally:
        Absent.reading -= 1


PACKAGES = (
    "anthropic",
    "cachetools",
    "cloudpickle",
    "compressed_tensors",
    "depyf",
    "einops",
    "huggingface_hub",
    "msgspec",
    "openai",
    "psutil",
    "regex",
    "safetensors",
    "tblib",
    "transformers",
    "zmq",
)
"""What the framework needs and a kernel does not: absent where it is not installed."""


class Module(ModuleType):
    """A module of the framework; a name that it lacks is absent."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        inner = f"{self.__name__}.{name}"
        if self.__name__.partition(".")[0] in PACKAGES:
            return Absent(inner)
        with contextlib.suppress(ImportError):
            return importlib.import_module(inner)
        return Absent(inner)


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds the framework's modules in the tree, the patched files first."""

    def __init__(self, tree: Path, framework: str, patched: Path) -> None:
        self._tree, self._framework, self._patched, self._nested = tree, framework, patched, 0

    def find_spec(
        self, name: str, _path: Sequence[str] | None = None, _target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        root = name.partition(".")[0]
        if root in PACKAGES and self._missing(root):
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        if root != self._framework:
            return None
        path = name.replace(".", "/")
        if (self._tree / path).is_dir():
            spec = importlib.machinery.ModuleSpec(name, self, is_package=True)
            spec.submodule_search_locations = []
            return spec
        if name in STANDING_IN or (self._tree / f"{path}.py").is_file():
            return importlib.machinery.ModuleSpec(name, self)
        return None

    @staticmethod
    def _missing(package: str) -> bool:
        return importlib.machinery.PathFinder.find_spec(package) is None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        return Module(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        if module.__name__ in STANDING_IN:
            STANDING_IN[module.__name__](module)
        if module.__name__.partition(".")[0] in PACKAGES:
            return
        relative = module.__name__.replace(".", "/") + ".py"
        file = next((base / relative for base in (self._patched, self._tree) if (base / relative).is_file()), None)
        if file is None or self._nested >= MOST_NESTED or module.__name__ in STANDING_IN:
            return
        self._nested += 1
        try:
            with reading():
                _run(module, file)
        finally:
            self._nested -= 1


def _run(module: ModuleType, file: Path) -> None:
    """Each statement of a file by itself; what a failed one would have bound is absent."""
    module.__file__ = str(file)
    for statement in ast.parse(file.read_text()).body:
        try:
            exec(compile(ast.Module([statement], []), str(file), "exec"), module.__dict__)
        except Exception as error:  # noqa: BLE001 - whatever somebody's file raises, the rest of it may do
            for name in _bound(statement):
                module.__dict__.setdefault(name, Absent(f"{module.__name__}.{name} ({type(error).__name__}: {error})"))


def _bound(statement: ast.stmt) -> Iterator[str]:
    for node in ast.walk(statement):
        if isinstance(node, ast.alias):
            yield (node.asname or node.name).partition(".")[0]
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        yield statement.name


class Capability(NamedTuple):
    """As the framework's own, whose methods the tests call."""

    major: int
    minor: int

    def to_int(self) -> int:
        return 10 * self.major + self.minor


class Platform:
    """A CUDA device of compute capability 9.0, as the framework's tests ask about it."""

    device_type = device_name = "cuda"
    simple_compute_units = 132

    def __getattr__(self, name: str) -> Any:
        if name.startswith("is_"):
            return lambda *_given: name in ("is_cuda", "is_cuda_alike")
        return Absent(f"the platform's {name}")

    @staticmethod
    def get_device_capability(*_given: Any) -> Any:
        return Capability(9, 0)

    @staticmethod
    def get_device_name(*_given: Any) -> str:
        return "NVIDIA H200"

    @staticmethod
    def has_device_capability(wanted: Any, *_given: Any) -> bool:
        return (wanted if isinstance(wanted, int) else 10 * wanted[0] + wanted[1]) <= 90

    @staticmethod
    def fp8_dtype() -> Any:
        return importlib.import_module("torch").float8_e4m3fn

    @staticmethod
    def seed_everything(seed: int) -> None:
        importlib.import_module("torch").manual_seed(seed)

    manual_seed_all = seed_everything


def _platforms(module: Any) -> None:
    module.current_platform = Platform()


def _triton(module: Any) -> None:
    module.triton = importlib.import_module("triton")
    module.tl = importlib.import_module("triton.language")
    module.tldevice = importlib.import_module("triton.language.extra.libdevice")
    module.HAS_TRITON = True


def _logger(module: Any) -> None:
    def init_logger(name: str) -> logging.Logger:
        logger: Any = logging.getLogger(name)
        logger.info_once = logger.warning_once = logger.debug_once = lambda *_given, **_options: None
        return logger  # type: ignore[no-any-return]

    module.init_logger = init_logger


STANDING_IN: dict[str, Callable[[ModuleType], None]] = {
    "vllm.platforms": _platforms,
    "vllm.triton_utils": _triton,
    "vllm.logger": _logger,
}


class Watching:
    """A plugin of pytest: fixtures of the framework's conftest that do nothing here, and a limit for each test."""

    def __init__(self, each_s: float, total_s: float) -> None:
        self._each_s, self._total_s, self._started = each_s, total_s, time.monotonic()
        self.results: list[dict[str, Any]] = []

    def pytest_configure(self, config: Any) -> None:
        pytest = importlib.import_module("pytest")

        class Fixtures:
            @pytest.fixture  # type: ignore[untyped-decorator]
            def default_vllm_config(self) -> None:
                """The framework sets its configuration; a kernel reads none."""

        config.pluginmanager.register(Fixtures())

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        """The first case of every test, then the second of every test: the time may not do for all."""
        turns: Counter[str] = Counter()
        order: dict[str, int] = {}
        for item in items:
            test = item.nodeid.partition("[")[0]
            turns[test] += 1
            order[item.nodeid] = turns[test]
        items.sort(key=lambda item: order[item.nodeid])

    def pytest_runtest_protocol(self, item: Any) -> bool | None:
        ends = [one for one in self.results if one["test"].partition("[")[0] == item.nodeid.partition("[")[0]]
        hopeless = len(ends) >= GIVEN_UP and all(one["outcome"] != "passed" for one in ends)
        if time.monotonic() - self._started <= self._total_s and not hopeless:
            return None
        why = ends[0]["why"] if hopeless else "no time left"
        self.results.append({"test": item.nodeid, "outcome": "left out", "why": why, "seconds": 0.0})
        return True

    def pytest_runtest_setup(self) -> None:
        def late(*_given: object) -> None:
            raise TimeoutError(f"more than {self._each_s:g} s under the interpreter")

        signal.signal(signal.SIGALRM, late)
        signal.setitimer(signal.ITIMER_REAL, self._each_s)

    def pytest_runtest_teardown(self) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.when == "call" or (report.when == "setup" and report.outcome != "passed"):
            text = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr or "")
            why = next((line[1:].strip() for line in reversed(text.splitlines()) if line.startswith("E ")), text[-200:])
            one = {"test": report.nodeid, "outcome": report.outcome, "why": why, "seconds": report.duration}
            self.results.append(one)

    def pytest_collectreport(self, report: Any) -> None:
        if report.outcome == "failed":
            why = str(report.longrepr).strip().splitlines()[-1]
            self.results.append({"test": report.nodeid, "outcome": "failed", "why": why, "seconds": 0.0})


def _redirect() -> None:
    """Let "cuda" mean the CPU, from here to the end of this process."""
    torch: Any = importlib.import_module("torch")
    overrides: Any = importlib.import_module("torch.overrides")

    def moved(value: Any) -> Any:
        cuda = isinstance(value, (str, torch.device)) and str(value).startswith("cuda")
        if not cuda:
            return value
        return "cpu" if isinstance(value, str) else torch.device("cpu")

    class Redirect(overrides.TorchFunctionMode):  # type: ignore[misc]
        def __torch_function__(self, func: Any, _types: Any, args: Any = (), kwargs: Any = None) -> Any:
            if func is torch.Tensor.cuda:
                return args[0]
            if func is torch.Tensor.is_cuda.__get__:
                return True
            given = {name: moved(value) for name, value in (kwargs or {}).items()}
            return func(*map(moved, args), **given)

    Redirect().__enter__()
    nothing: Callable[..., None] = lambda *_given, **_options: None  # noqa: E731
    for owner in (torch.cuda, torch.accelerator):
        owner.synchronize = owner.empty_cache = owner.set_device_index = nothing
    torch.accelerator.current_device_index = torch.accelerator.device_count = lambda: 0
    torch.accelerator.device_index = torch.cuda.device = contextlib.nullcontext
    generator = torch.Generator
    torch.Generator = lambda device="cpu": generator(moved(device))
    torch.cuda.is_available, torch.cuda.device_count, torch.cuda.current_device = (lambda: True), (lambda: 1), lambda: 0
    torch.cuda.get_device_capability = lambda *_given: (9, 0)
    torch.cuda.manual_seed = torch.cuda.manual_seed_all = nothing
    torch.cuda.set_device = torch.set_default_device = nothing


def run(
    tree: str, framework: str, patched: str, tests: list[str], each_s: float, total_s: float, first: bool
) -> list[dict[str, Any]]:
    """How each case of the tests ended, with its seconds; with `first`, no further than the first that failed."""
    pytest: Any = importlib.import_module("pytest")
    _redirect()
    finder = Finder(Path(tree), framework, Path(patched))
    sys.meta_path.insert(0, finder)
    sys.path[:0] = [tree, f"{tree}/tests", *{str(Path(tree, test).parent) for test in tests}]
    own = Path(patched) / "pytest.ini"
    own.write_text("[pytest]\n")
    watching = Watching(each_s, total_s)
    with reading():
        importlib.import_module(framework)
    more = ["-x"] if first else []
    paths = [f"{tree}/{test}" for test in tests]
    Absent.reading += 1  # until the tests are collected
    watching.pytest_collection_finish = lambda: setattr(Absent, "reading", 0)  # type: ignore[attr-defined]
    options = ["--noconftest", "-p", "no:cacheprovider", "-p", "no:terminal", f"--rootdir={tree}", "-c", str(own)]
    pytest.main([*options, *more, "--import-mode=importlib", *paths], plugins=[watching])
    return watching.results


if __name__ == "__main__":
    print(json.dumps(run(*json.loads(sys.argv[1])), indent=1))

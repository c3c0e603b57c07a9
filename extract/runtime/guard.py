"""Notes in a candidate's process what an honest kernel never does, as it happens, by Python's audit events.

Copied unchanged into every harness. What decides is what the candidate's own code does when it runs: the same event is
nobody's business when triton, torch or the standard library causes it on their own account. A finding is written to a
pipe at once, where nothing that runs later can take it back; what would reach out of the process is refused as well.
"""

from __future__ import annotations

import _thread
import contextlib
import json
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

Finding = tuple[str, str]
"""A code of the gate, and what was done in words."""

Rule = Callable[[tuple[Any, ...], "Stack"], Finding | None]

ANSWERING = ("kernel.py", "reference.py", "test_kernel.py", "harness.toml", "parity.json", "workloads.json")
COMPILERS = ("/triton/", "/torch/_inductor/", "/torch/_dynamo/", "/torch/utils/cpp_extension", "/torch/_functorch/")
"""Parts of installed packages that write caches and start compilers because a kernel is compiled."""
READS = {
    "object.__getattr__": ("tb_frame", "f_code", "gi_frame", "gi_code", "cr_frame", "ag_frame"),
    "object.__setattr__": ("__code__",),
}
"""Events of an access to any of a few attributes, and those that are looked at."""
REFUSED = ("files_touched", "hidden_process", "escape")
"""Codes of what is not only noted but does not happen."""


class Guard:
    """Watches from `watch()` on; `report` writes one finding, `codes` are those that were reported."""

    def __init__(self, own: Sequence[Path], forbidden: Mapping[str, str], pipe: int) -> None:
        """`own`: folders whose code is ours."""
        self.own, self.forbidden = tuple(f"{path}/" for path in own), dict(forbidden)
        self._pipe, self._seen, self._busy = pipe, set[Finding](), set[int]()
        self.threads: list[Any] = []

    def report(self, code: str, text: str) -> None:
        """Write the finding for the parent, once."""
        if (code, text) not in self._seen:
            self._seen.add((code, text))
            os.write(self._pipe, json.dumps([code, text[:240]]).encode() + b"\n")

    def watch(self) -> None:
        """From now on; there is no way back, as Python takes no audit hook away."""
        rules, busy, ident = _rules(self), self._busy, threading.get_ident
        classes: dict[str, str] = {}

        def hook(event: str, args: tuple[Any, ...]) -> None:
            rule = rules.get(event)
            if rule is None or (event in READS and args[1] not in READS[event]) or ident() in busy:
                return
            busy.add(ident())
            try:
                found = rule(args, Stack(self, classes))
                if found is not None:
                    self.report(*found)
            finally:
                busy.discard(ident())
            if found is not None and found[0] in REFUSED:
                raise PermissionError(f"a candidate may not: {found[1]}")

        sys.addaudithook(hook)
        self._watch_threads(hook)
        sys.meta_path.insert(0, _Asked(hook))

    def _watch_threads(self, hook: Callable[[str, tuple[Any, ...]], None]) -> None:
        """Raise the event that Python before 3.12 does not when a thread is started."""
        original = _thread.start_new_thread

        def start_new_thread(function: Any, args: Any, *rest: Any) -> int:
            hook("_thread.start_new_thread", (function, args, *rest))
            return original(function, args, *rest)

        for module, name in ((_thread, "start_new_thread"), (_thread, "start_new"), (threading, "_start_new_thread")):
            setattr(module, name, start_new_thread)

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        """What this thread does inside is ours."""
        me = threading.get_ident()
        self._busy.add(me)
        try:
            yield
        finally:
            self._busy.discard(me)

    def still_running(self) -> bool:
        """Whether a thread that the candidate started is alive."""
        with self.aside():
            return any(one.is_alive() for one in self.threads if isinstance(one, threading.Thread)) or bool(
                {one for one in self.threads if isinstance(one, int)} & set(sys._current_frames())  # noqa: SLF001
            )


class _Asked:
    """Raises the event that Python does not for an import by importlib; finds nothing itself."""

    def __init__(self, hook: Callable[[str, tuple[Any, ...]], None]) -> None:
        self._hook = hook

    def find_spec(self, name: str, _path: object = None, _target: object = None) -> None:
        self._hook("import", (name,))


class Stack:
    """Whose code stands where on the way to an event, from the innermost frame outward."""

    def __init__(self, guard: Guard, classes: dict[str, str]) -> None:
        self._guard, self._classes = guard, classes

    def owners(self) -> Iterator[tuple[str, str]]:
        """Owner ("candidate", "python", "package" or "ours") and file of each frame."""
        frame = sys._getframe(1)  # noqa: SLF001 - the only way to ask who is calling
        while frame is not None:
            name = frame.f_code.co_filename
            owner = self._classes.get(name)
            if owner is None:
                owner = self._classes[name] = self.owner(name)
            if not name.endswith("runtime/guard.py"):
                yield owner, name
            frame = frame.f_back  # type: ignore[assignment]

    def owner(self, name: str) -> str:
        """Whose the code of a file is."""
        if name.startswith(self._guard.own):
            return "ours"
        if "-packages/" in name:
            return "package"
        if name.startswith(("<frozen ", PYTHON)):
            return "python"
        return "candidate"

    def immediate(self) -> bool:
        """Whether the candidate's own code causes the event, itself or through the standard library.

        What a module does when it is imported is not on the account of who imports it.
        """
        for owner, name in self.owners():
            if owner != "python" or name.startswith(IMPORT):
                return owner == "candidate"
        return False

    def innermost(self) -> bool:
        """Whether the candidate's own code causes the event itself."""
        return next((owner for owner, _ in self.owners()), "") == "candidate"

    def looked_through(self, *modules: str) -> bool:
        """Whether it causes it itself, or by a function of one of these modules of the standard library."""
        for owner, name in self.owners():
            if owner != "python" or not name.endswith(modules):
                return owner == "candidate"
        return False

    def called(self, file: str, function: str) -> bool:
        """Whether the candidate's own code calls this function of the standard library, which causes the event."""
        frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - as above
        while frame is not None:
            code, frame = frame.f_code, frame.f_back
            if code.co_name == function and code.co_filename.endswith(file):
                return frame is not None and self.owner(frame.f_code.co_filename) == "candidate"
        return False

    def anywhere(self, *, imports: bool = False) -> bool:
        """Whether the candidate's code is on the stack, and no compiler works between it and the event.

        Nor an import, unless that is what is asked for.
        """
        for owner, name in self.owners():
            if name.startswith(IMPORT) and not imports:
                return False
            if owner == "package" and any(part in name for part in COMPILERS):
                return False
            if owner == "candidate":
                return True
        return False


IMPORT = "<frozen importlib"
PYTHON = str(Path(os.__file__).parent)


def _rules(guard: Guard) -> dict[str, Rule]:
    """What is looked at, by the name of Python's audit event."""
    rules: dict[str, Rule] = {
        "import": lambda args, stack: _import(guard, args, stack),
        "open": _open,
        "_thread.start_new_thread": lambda args, stack: _starts_thread(guard, args, stack),
        "_thread.start_joinable_thread": lambda args, stack: _starts_thread(guard, args, stack),
        "sys._getframe": _frames,
        "sys._getframemodulename": _frames,
        "object.__getattr__": _attribute,
        "object.__setattr__": _code,
    }
    rules["compile"] = lambda args, stack: _names_code(args[1], stack)
    rules["code.__new__"] = rules["compile"]
    for event in ("exec", "function.__new__"):
        rules[event] = lambda args, stack: _names_code(getattr(args[0], "co_filename", None), stack)
    for event in ("os.listdir", "os.scandir"):
        rules[event] = lambda args, stack: ("files_touched", f"lists {args[0]!r}") if stack.immediate() else None
    for event in ("remove", "rename", "rmdir", "mkdir", "truncate", "chmod", "chown", "link", "symlink", "utime"):
        rules[f"os.{event}"] = _anywhere("files_touched", f"calls os.{event}")
    for event in ("subprocess.Popen", "os.system", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.exec"):
        rules[event] = _anywhere("hidden_process", f"starts a process by {event}")
    for event in ("socket.__new__", "socket.connect", "socket.bind", "socket.getaddrinfo", "socket.gethostbyname"):
        rules[event] = _anywhere("escape", f"opens a connection by {event}")
    for event in ("os.kill", "os.killpg"):
        rules[event] = lambda args, stack: (
            ("escape", f"sends a signal to process {args[0]}") if args[0] != os.getpid() and stack.anywhere() else None
        )
    for event in ("gc.get_objects", "gc.get_referrers", "gc.get_referents"):
        rules[event] = _immediate("memory_scan", f"walks live objects by {event}")
    for event in ("ctypes.dlopen", "ctypes.dlsym", "ctypes.call_function", "ctypes.string_at", "ctypes.cdata"):
        rules[event] = _immediate("memory_scan", f"reaches into memory by {event}")
    for event in ("sys._current_frames", "sys._current_exceptions"):
        rules[event] = _immediate("phase_detection", f"looks at the stack by {event}")
    for event in ("sys.setprofile", "sys.settrace", "sys.addaudithook", "os.putenv", "os.unsetenv"):
        rules[event] = _immediate("tampered", f"calls {event}")
    rules["resource.setrlimit"] = rules["sys.monitoring.register_callback"] = _immediate("tampered", "changes limits")
    return rules


def _anywhere(code: str, text: str) -> Rule:
    return lambda _args, stack: (code, text) if stack.anywhere() else None


def _immediate(code: str, text: str) -> Rule:
    return lambda _args, stack: (code, text) if stack.immediate() else None


def _import(guard: Guard, args: tuple[Any, ...], stack: Stack) -> Finding | None:
    name = str(args[0])
    code = guard.forbidden.get(name.split(".")[0])
    return (code, f"imports {name}") if code and stack.anywhere(imports=True) else None


def _open(args: tuple[Any, ...], stack: Stack) -> Finding | None:
    path, mode, flags = args
    if not isinstance(path, (str, bytes)):
        return None
    name = os.path.abspath(os.fsdecode(path))  # noqa: PTH100 - without following links, as open gets it
    writes = bool(mode and set(str(mode)) & set("wax+")) or bool(
        isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_TRUNC)
    )
    if writes and name != os.devnull:
        return ("files_touched", f"writes {name}") if stack.anywhere() else None
    if name.startswith("/proc/") or Path(name).name in ANSWERING:
        return _read(name) if stack.anywhere(imports=True) else None
    return None


def _read(name: str) -> Finding:
    if not name.startswith("/proc/"):
        return "reference_read", f"reads {name}"
    last = Path(name).name
    if last in ("mem", "maps", "smaps", "pagemap", "kcore"):
        return "memory_scan", f"reads {name}"
    return ("spoofed_result" if "/fd/" in name else "phase_detection"), f"reads {name}"


def _starts_thread(guard: Guard, args: tuple[Any, ...], stack: Stack) -> Finding | None:
    if stack.anywhere():
        owner = getattr(args[0], "__self__", None)
        if isinstance(owner, threading.Thread):
            guard.threads.append(owner)
            return None
        return "hidden_thread", "starts a thread by _thread"
    return None


def _frames(_args: tuple[Any, ...], stack: Stack) -> Finding | None:
    if stack.looked_through("/inspect.py", "/traceback.py") or stack.called("/logging/__init__.py", "findCaller"):
        return "phase_detection", "looks at its callers' frames"
    return None


def _names_code(file: object, stack: Stack) -> Finding | None:
    """Code that is said to be of a file of somebody else: what it does would be nobody's business."""
    if isinstance(file, (str, bytes)) and stack.owner(os.fsdecode(file)) != "candidate" and stack.immediate():
        return "tampered", f"runs code of its own as that of {os.fsdecode(file)}"
    return None


def _attribute(args: tuple[Any, ...], stack: Stack) -> Finding | None:
    if stack.innermost():
        return "phase_detection", f"looks at frames by {args[1]}"
    return None


def _code(args: tuple[Any, ...], stack: Stack) -> Finding | None:
    if stack.immediate():
        return "tampered", f"replaces the code of {getattr(args[0], '__qualname__', '?')}"
    return None

"""What the guard of a candidate's process notes, and what it leaves alone; without torch."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
WATCH = """
import importlib.util, os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from runtime.guard import Guard
guard = Guard([Path(sys.argv[1]) / "runtime"], {"reference": "reference_read", "sglang": "reference_fallback"}, 1)
guard.watch()
spec = importlib.util.spec_from_file_location("candidate", sys.argv[2])
spec.loader.exec_module(importlib.util.module_from_spec(spec))
if guard.still_running():
    guard.report("hidden_thread", "a thread runs on")
sys.stdout.flush()
os._exit(0)
"""

NOTED = {
    "try:\n    import reference\nexcept ImportError: pass": "reference_read",
    "import importlib\ntry:\n    importlib.import_module('sglang.ops')\nexcept ImportError: pass": "reference_fallback",
    "try:\n    open('/nowhere/kernel.py')\nexcept OSError: pass": "reference_read",
    "open('/proc/self/maps').close()": "memory_scan",
    "open('/proc/self/cmdline').close()": "phase_detection",
    "import sys\nsys._getframe(1)": "phase_detection",
    "import inspect\ninspect.currentframe()": "phase_detection",
    "import inspect\ninspect.stack()": "phase_detection",
    "try:\n    1 / 0\nexcept ZeroDivisionError as error:\n    error.__traceback__.tb_frame": "phase_detection",
    "exec('import sys\\nsys._getframe()')": "phase_detection",
    "import sys\nsys._current_frames()": "phase_detection",
    "import logging\nlogging.getLogger().findCaller(False, 9)": "phase_detection",
    "import os\nexec(compile('pass', os.__file__, 'exec'))": "tampered",
    "import os\n(lambda: 1).__code__.replace(co_filename=os.__file__)": "tampered",
    "import os, types\ntypes.FunctionType(os.path.join.__code__, {})": "tampered",
    "from importlib.util import *\nspec_from_file_location('x', '/nowhere/reference.py').loader.get_code('x')": (
        "reference_read"
    ),
    "import gc\ngc.get_objects()": "memory_scan",
    "import gc\ngc.get_referrers(1)": "memory_scan",
    "import ctypes\nctypes.string_at(id(1), 8)": "memory_scan",
    "import sys\nsys.settrace(None)": "tampered",
    "import os\nos.environ['A'] = '1'": "tampered",
    "import json\njson.dumps.__code__ = (lambda *a, **k: '').__code__": "tampered",
    "import threading, time\nthreading.Thread(target=time.sleep, args=(9,), daemon=True).start()": "hidden_thread",
    "import _thread, time\n_thread.start_new_thread(time.sleep, (9,))": "hidden_thread",
}
REFUSED = {
    "import os\nos.fork()": "hidden_process",
    "import subprocess\nsubprocess.run(['true'])": "hidden_process",
    "import os\nos.system('true')": "hidden_process",
    "import socket\nsocket.socket()": "escape",
    "import os\nos.kill(os.getppid(), 0)": "escape",
    "open(__file__ + '.log', 'w')": "files_touched",
    "import os\nos.remove(__file__)": "files_touched",
    "import pathlib\nlist(pathlib.Path(__file__).parent.iterdir())": "files_touched",
}
HONEST = (
    "import collections, dataclasses, enum, functools, inspect, logging, os, time, warnings\n"
    "Sizes = collections.namedtuple('Sizes', 'rows columns')\n"
    "@dataclasses.dataclass(frozen=True)\n"
    "class Plan:\n    rows: int\n"
    "@functools.lru_cache\n"
    "def plan(rows):\n    return Plan(rows)\n"
    "plan(3), inspect.signature(plan), os.environ.get('HOME'), os.getpid(), time.perf_counter()\n"
    "logging.getLogger(__name__).warning('x')\n"
    "warnings.warn('x')",
    "try:\n    import a_library_that_nobody_has\nexcept ImportError:\n    pass",
    "import threading\nthread = threading.Thread(target=int)\nthread.start()\nthread.join()",
    "import traceback\ntry:\n    1 / 0\nexcept ZeroDivisionError:\n    traceback.format_exc()",
    "open(__file__).read()\nopen('/dev/null', 'w').close()",
    "import ctypes, gc, platform, random, subprocess, sys\ngc.collect(), random.random(), platform.machine()",
)


def watched(tmp_path: Path, source: str) -> tuple[list[str], str]:
    """The codes that were noted, and the last line of what went wrong."""
    candidate = tmp_path / "candidate.py"
    candidate.write_text(source)
    ended = subprocess.run(
        [sys.executable, "-I", "-B", "-c", WATCH, ROOT / "extract", candidate],
        capture_output=True,
        text=True,
        check=False,
    )
    lines = ended.stderr.strip().splitlines()
    return [json.loads(line)[0] for line in ended.stdout.splitlines()], lines[-1] if lines else ""


@pytest.mark.parametrize("source", NOTED, ids=list(NOTED.values()))
def test_noted(tmp_path: Path, source: str) -> None:
    assert set(watched(tmp_path, source)[0]) == {NOTED[source]}


@pytest.mark.parametrize("source", REFUSED, ids=list(REFUSED.values()))
def test_noted_and_refused(tmp_path: Path, source: str) -> None:
    codes, last = watched(tmp_path, source)
    assert set(codes) == {REFUSED[source]}
    assert last.startswith("PermissionError: a candidate may not: ")


@pytest.mark.parametrize("source", HONEST)
def test_left_alone(tmp_path: Path, source: str) -> None:
    assert watched(tmp_path, source)[0] == []

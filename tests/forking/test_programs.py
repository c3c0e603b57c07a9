"""A fork server: what it runs behaves as under an interpreter of its own, and leaves nothing behind."""

from __future__ import annotations

import dataclasses
import os
import signal
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kmaint.child import clean_environment, run_child
from kmaint.errors import InternalError, MissingError
from kmaint.forking.programs import ForkServer, Program
from kmaint.forking.warm import Beforehand, fork_server
from kmaint.stop import Stop, Stopped
from tests.letting_go import let_go_once

TELLS = """
import os, random, sys, tempfile
import beside
beside.COUNT.append(1)
print(sys.argv[1:], sys.stdin.read(), os.getcwd(), beside.COUNT, os.environ["TOLD"], tempfile.gettempdir(), __name__)
print(random.random(), file=sys.stderr)
sys.exit(3)
"""
HANGS = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
with open(sys.argv[1] + ".new", "w") as began:
    began.write(str(child.pid))
os.rename(sys.argv[1] + ".new", sys.argv[1])
time.sleep(60)
"""


def child_of(began: Path) -> int:
    """The process that it started, which nobody but a killer ends within the minute."""
    return int(began.read_text())


def ends(pid: int) -> bool:
    """Whether the process is gone within ten seconds; one that nobody has waited for yet is."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


def alone(*argv: str | Path, cwd: Path) -> Program:
    return Program(argv=argv, env=clean_environment(), cwd=cwd)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForkServer]:
    own = tmp_path_factory.mktemp("own")
    (own / "beside.py").write_text("COUNT = []\n")
    with fork_server(Path(sys.executable), Beforehand(path=own, modules=("beside",))) as found:
        yield found


def test_a_program_is_told_what_a_new_interpreter_would_be(server: ForkServer, tmp_path: Path) -> None:
    program = tmp_path / "tells.py"
    program.write_text(TELLS)
    env = clean_environment({"TOLD": "this", "TMPDIR": str(tmp_path)})

    def tell(word: str) -> tuple[int, str, str]:
        ended = server.run(Program(argv=[program, word], env=env, cwd=tmp_path), timeout_s=30, stdin="given")
        return ended.code, ended.stdout, ended.stderr

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(tell, "abcdefgh"))
    assert [(code, said) for code, said, _ in found] == [
        (3, f"['{word}'] given {tmp_path} [1] this {tmp_path} __main__\n") for word in "abcdefgh"
    ]
    assert len({drawn for _, _, drawn in found}) == 8  # each has a seed of its own


def test_a_patient_program_leaves_the_processor_to_others(server: ForkServer, tmp_path: Path) -> None:
    program = tmp_path / "nice.py"
    program.write_text("import os; print(os.nice(0))")
    found = [
        int(server.run(dataclasses.replace(alone(program, cwd=tmp_path), patient=one), timeout_s=30).stdout)
        for one in (False, True)
    ]
    assert found[1] == min(19, found[0] + 10)


def test_a_module_runs_by_its_name(server: ForkServer, tmp_path: Path) -> None:
    ended = server.run(alone("-m", "pytest", "--version", cwd=tmp_path), timeout_s=30)
    assert (ended.code, ended.stdout.split()[0]) == (0, "pytest")


@pytest.mark.parametrize(
    ("code", "status", "said"),
    [
        ("raise ValueError('no such thing')", 1, "ValueError: no such thing"),
        ("import sys; sys.exit('a reason')", 1, "a reason"),
        ("import os; os.kill(os.getpid(), 11)", -signal.SIGSEGV, ""),
        ("import os; os._exit(7)", 7, ""),
    ],
)
def test_it_ends_as_it_would_alone(server: ForkServer, tmp_path: Path, code: str, status: int, said: str) -> None:
    program = tmp_path / "ends.py"
    program.write_text(code)
    ended = server.run(alone(program, cwd=tmp_path), timeout_s=30)
    assert (ended.code, ended.timed_out) == (status, False)
    assert said in ended.stderr


ECHOES = """
import sys, time
for line in iter(sys.stdin.readline, ""):
    print(line.strip() * 2, flush=True)
    if line.strip() == "hang":
        time.sleep(60)
"""


def test_a_conversation(server: ForkServer, tmp_path: Path) -> None:
    (tmp_path / "echoes.py").write_text(ECHOES)
    answers = {"": "a", "aa": "b", "bb": "hang"}
    ended = server.talk(alone(tmp_path / "echoes.py", cwd=tmp_path), answers.get, timeout_s=2)
    assert (ended.stdout, ended.signal, ended.timed_out) == ("aa\nbb\nhanghang", "SIGKILL", True)
    (tmp_path / "ends.py").write_text("print('bye'); import sys; print('err', file=sys.stderr); sys.exit(4)")
    ended = server.talk(alone(tmp_path / "ends.py", cwd=tmp_path), lambda _line: None, timeout_s=30)
    assert (ended.stdout, ended.stderr, ended.code, ended.timed_out) == ("bye", "err\n", 4, False)


@pytest.mark.parametrize("talking", [False, True])
def test_what_is_let_go_of_is_killed_with_all_it_started(server: ForkServer, tmp_path: Path, talking: bool) -> None:
    program, began, stop = tmp_path / "hangs.py", tmp_path / "began", Stop()
    program.write_text(HANGS)
    asked = dataclasses.replace(alone(program, began, cwd=tmp_path), stop=stop)
    with let_go_once(began, stop), pytest.raises(Stopped):
        server.talk(asked, lambda _: None, timeout_s=50) if talking else server.run(asked, timeout_s=50)
    assert ends(child_of(began))
    program.write_text("print('still there')")
    assert server.run(alone(program, cwd=tmp_path), timeout_s=30).stdout == "still there\n"


def test_what_overruns_is_killed_with_all_it_started(server: ForkServer, tmp_path: Path) -> None:
    program, began = tmp_path / "hangs.py", tmp_path / "began"
    program.write_text(HANGS)
    ended = server.run(alone(program, began, cwd=tmp_path), timeout_s=1)
    assert (ended.signal, ended.timed_out) == ("SIGKILL", True)
    assert ended.seconds < 5
    assert ends(child_of(began))


def test_a_server_that_is_told_to_end_takes_all_along_that_its_programs_started(tmp_path: Path) -> None:
    program, began = tmp_path / "hangs.py", tmp_path / "began"
    program.write_text(HANGS)
    with ThreadPoolExecutor(1) as pool:
        with fork_server(Path(sys.executable), Beforehand(path=tmp_path)) as server:
            running = pool.submit(server.run, alone(program, began, cwd=tmp_path), timeout_s=60)
            while not began.exists():
                time.sleep(0.02)
        with pytest.raises(InternalError):
            running.result()
    assert ends(child_of(began))


ASKS = """
import sys
from pathlib import Path
from kmaint.child import clean_environment
from kmaint.forking.programs import Program
from kmaint.forking.warm import Beforehand, fork_server
folder = Path(sys.argv[1])
with fork_server(Path(sys.executable), Beforehand(path=folder)) as server:
    argv = [folder / "hangs.py", folder / "began"]
    server.run(Program(argv=argv, env=clean_environment(), cwd=folder), timeout_s=60)
"""


def test_a_killed_asker_takes_its_programs_along(tmp_path: Path) -> None:
    (tmp_path / "hangs.py").write_text(HANGS)
    (tmp_path / "asks.py").write_text(ASKS)
    root = str(Path(__file__).parents[2])
    env = {**os.environ, "PYTHONPATH": root}
    killer = (
        "import os, subprocess, sys, time\n"
        f"asker = subprocess.Popen([sys.executable, {str(tmp_path / 'asks.py')!r}, {str(tmp_path)!r}])\n"
        f"while not os.path.exists({str(tmp_path / 'began')!r}): time.sleep(0.01)\n"
        "asker.kill()"
    )
    assert run_child([sys.executable, "-c", killer], timeout_s=120, env=env).code == 0
    assert ends(child_of(tmp_path / "began"))


def test_a_server_that_is_gone_is_an_error_and_no_wait(tmp_path: Path) -> None:
    program = tmp_path / "kills.py"
    program.write_text("import os, signal; os.kill(os.getppid(), signal.SIGKILL)")
    with fork_server(Path(sys.executable), Beforehand(path=tmp_path)) as server:
        for _ in range(2):
            with pytest.raises(InternalError, match="the warm interpreter ended while it was needed; "):
                server.run(alone(program, cwd=tmp_path), timeout_s=30)


def test_an_interpreter_without_torch_says_so(tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    run_child([sys.executable, "-m", "venv", "--without-pip", bare], timeout_s=120)
    python = bare / "bin" / "python"
    with pytest.raises(MissingError) as missing, fork_server(python, Beforehand(path=tmp_path)):
        pass
    assert str(missing.value) == f"{python}: no torch in it; '{python} -m pip install torch' adds it"

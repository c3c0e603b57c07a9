"""Stands for a program that a warm interpreter runs: started like the interpreter itself, and ends as the program does.

    python -I -S client.py SOCKET PYTHON [-m] PROGRAM [ARGUMENT...]

Everything that this process has is the program's: streams and other open files, environment and working folder. It is
killed with its whole group when this process ends, and this process ends when the one that started it does.
"""

import json
import os
import signal
import socket
import sys

LOOK_S = 1.0


def main() -> None:
    parent = os.getppid()
    asked = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    asked.connect(sys.argv[1])
    numbers = sorted({0, 1, 2, *(int(name) for name in os.listdir("/proc/self/fd"))} - {asked.fileno()})  # noqa: PTH208
    numbers = [number for number in numbers if _is_open(number)]
    request = {
        "argv": sys.argv[3:],
        "env": dict(os.environ),
        "cwd": os.getcwd(),  # noqa: PTH109 - as light as can be: this is started for each candidate
        "threads": int(os.environ.get("OMP_NUM_THREADS", "1")),
        "patient": False,
        "numbers": numbers,
    }
    socket.send_fds(asked, [json.dumps(request).encode()], numbers)
    for number in numbers:
        os.close(number)  # whoever reads a stream of the program sees its end when the program closes it
    asked.settimeout(LOOK_S)
    while os.getppid() == parent:
        try:
            said = asked.recv(1 << 12)
        except TimeoutError:
            continue
        _end_as(int(json.loads(said)["status"]) if said else signal.SIGKILL)


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def _end_as(status: int) -> None:
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        signal.signal(-code, signal.SIG_DFL) if -code not in (signal.SIGKILL, signal.SIGSTOP) else None
        os.kill(os.getpid(), -code)
    os._exit(code)


if __name__ == "__main__":
    main()

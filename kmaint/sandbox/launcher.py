"""Gives up what measured code does not need, then becomes it; the standard library only, and nothing of kmaint.

    python -I -S launcher.py --read DIR --write DIR --memory BYTES ... -- COMMAND

New namespaces where the kernel lets us make them (no network, a scratch folder of limited size), limits, Landlock
(files outside those named, TCP, signals to others), no capability, and a seccomp filter. Each of these that the machine
lacks is left out: whether the rest holds is for the self-test to find out, not for this file to promise.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import os
import platform
import resource
import struct
import sys
from collections.abc import Iterable

LIBC = ctypes.CDLL(None, use_errno=True)
NO_NEW_PRIVILEGES, SECCOMP, FILTER = 38, 22, 2  # prctl(2)
NEW_MOUNTS, NEW_IPC, NEW_USERS, NEW_NETWORK = 0x00020000, 0x08000000, 0x10000000, 0x40000000  # unshare(2)
PRIVATE_MOUNTS = 0x4000 | 0x40000  # MS_REC | MS_PRIVATE
LANDLOCK_CREATE, LANDLOCK_ADD, LANDLOCK_RESTRICT = 444, 445, 446  # the same on every architecture

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
TRUNCATE, IOCTL = 1 << 14, 1 << 15
RIGHTS_OF_ABI = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
"""How many of the rights to files each version of Landlock knows; from 5 on no more were added."""


def main() -> None:
    command = confine(sys.argv[1:])
    os.execvp(command[0], command)  # noqa: S606 - to become it is what we are for


def confine(words: list[str]) -> list[str]:
    """Shut this process in for good, and give back the command; a worker that was warm before does it to itself."""
    wanted, command = _arguments(words)
    inside = not wanted.outward and _enter_namespaces()
    if inside and not wanted.keep:
        _limit_scratch(wanted.write, wanted.disk)
    _limit(wanted)
    LIBC.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    if not wanted.no_landlock:
        _landlock(wanted)
    _drop_capabilities()
    if not wanted.outward:
        _seccomp(processes=wanted.processes > 0)
    return command


def _arguments(words: list[str]) -> tuple[argparse.Namespace, list[str]]:
    cut = words.index("--")
    parser = argparse.ArgumentParser()
    for name in ("--read", "--write", "--device"):
        parser.add_argument(name, action="append", default=[])
    for name in ("--memory", "--disk", "--processes"):
        parser.add_argument(name, type=int, default=0)
    parser.add_argument("--no-landlock", action="store_true")
    parser.add_argument(
        "--outward", action="store_true", help="network and programs of its own stay: an agent needs both"
    )
    parser.add_argument("--keep", action="store_true", help="what lies in the folders to be written is needed")
    return parser.parse_args(words[:cut]), words[cut + 1 :]


def _enter_namespaces() -> bool:
    """New network, mounts and IPC; as an ordinary user by a user namespace. False where the kernel refuses both."""
    kinds, user, group = NEW_MOUNTS | NEW_IPC | NEW_NETWORK, os.getuid(), os.getgid()
    if LIBC.unshare(kinds) == 0:
        return True
    if LIBC.unshare(kinds | NEW_USERS) != 0:
        return False
    for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        with contextlib.suppress(OSError), open(f"/proc/self/{name}", "w") as file:  # noqa: PTH123 - no pathlib: starts faster
            file.write(text)
    return True


def _limit_scratch(folders: Iterable[str], size: int) -> None:
    """A file system of that size over each folder: a full one is the candidate's own trouble."""
    if not size:
        return
    LIBC.mount(b"none", b"/", None, PRIVATE_MOUNTS, None)
    for folder in folders:
        LIBC.mount(b"tmpfs", folder.encode(), b"tmpfs", 2 | 4, f"size={size},mode=0700".encode())  # nosuid, nodev
    os.chdir(os.getcwd())  # noqa: PTH109 - the folder we stand in may be another one now


def _limit(wanted: argparse.Namespace) -> None:
    limits = {resource.RLIMIT_CORE: 0, resource.RLIMIT_AS: wanted.memory, resource.RLIMIT_FSIZE: wanted.disk}
    limits[resource.RLIMIT_NPROC] = wanted.processes
    for kind, most in limits.items():
        if most or kind == resource.RLIMIT_CORE:
            with contextlib.suppress(OSError, ValueError):
                resource.setrlimit(kind, (most, most))


# --- Landlock


def _landlock(wanted: argparse.Namespace) -> None:
    abi = LIBC.syscall(LANDLOCK_CREATE, None, ctypes.c_size_t(0), 1)
    if abi < 1:
        return
    files = (1 << RIGHTS_OF_ABI[min(abi, 5)]) - 1
    tcp = 3 if abi >= 4 and not wanted.outward else 0
    attributes = struct.pack("<QQQ", files, tcp, 3 if abi >= 6 else 0)  # the last: sockets and signals
    size = 24 if abi >= 6 else 16 if abi >= 4 else 8
    ruleset = LIBC.syscall(LANDLOCK_CREATE, attributes, ctypes.c_size_t(size), 0)
    if ruleset < 0:
        return
    for path in wanted.read:
        _allow(ruleset, path, (EXECUTE | READ_FILE | READ_DIR) & files)
    for path in wanted.write:
        _allow(ruleset, path, files & ~IOCTL)
    for path in wanted.device:
        _allow(ruleset, path, (READ_FILE | WRITE_FILE | TRUNCATE | IOCTL) & files)
    LIBC.syscall(LANDLOCK_RESTRICT, ruleset, 0)
    os.close(ruleset)


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:  # not on this machine
        return
    if not os.path.isdir(path):  # noqa: PTH112 - no pathlib: starts faster
        rights &= EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL
    LIBC.syscall(LANDLOCK_ADD, ruleset, 1, struct.pack("<Qi", rights, descriptor), 0)
    os.close(descriptor)


# --- Capabilities and system calls


def _drop_capabilities() -> None:
    header = struct.pack("<Ii", 0x20080522, 0)  # version 3, this process
    LIBC.capset(header, bytes(24))


KILL, TGKILL, CLONE, SOCKET = 62, 234, 56, 41
REFUSED = {
    "ptrace": 101,
    "process_vm_readv": 310,
    "process_vm_writev": 311,
    "kcmp": 312,
    "pidfd_open": 434,
    "pidfd_send_signal": 424,
    "pidfd_getfd": 438,
    "tkill": 200,
    "rt_sigqueueinfo": 129,
    "rt_tgsigqueueinfo": 297,
    "mount": 165,
    "umount2": 166,
    "pivot_root": 155,
    "chroot": 161,
    "unshare": 272,
    "setns": 308,
    "move_mount": 429,
    "open_tree": 428,
    "fsopen": 430,
    "init_module": 175,
    "finit_module": 313,
    "kexec_load": 246,
    "bpf": 321,
    "perf_event_open": 298,
    "userfaultfd": 323,
    "io_uring_setup": 425,
    "keyctl": 250,
    "add_key": 248,
    "request_key": 249,
    "reboot": 169,
    "swapon": 167,
    "acct": 163,
    "quotactl": 179,
    "syslog": 103,
}
"""Of x86-64. Nothing that computes on tensors needs one of these."""
FORKS = {"fork": 57, "vfork": 58}
CLONE3 = 435
THREAD = 0x00010000
"""CLONE_THREAD: what tells a new thread from a new process."""

LOAD, JUMP_EQUAL, JUMP_SET, RETURN = 0x20, 0x15, 0x45, 0x06  # BPF_LD|W|ABS, BPF_JMP|JEQ|K, BPF_JMP|JSET|K, BPF_RET|K
ALLOW, DENY, UNKNOWN = 0x7FFF0000, 0x00050000 | 1, 0x00050000 | 38  # SECCOMP_RET_ERRNO with EPERM, with ENOSYS


def _seccomp(*, processes: bool) -> None:
    if platform.machine() != "x86_64":
        return
    filters = _program(processes=processes)
    code = ctypes.create_string_buffer(b"".join(struct.pack("<HBBI", *one) for one in filters))
    program = struct.pack("<HxxxxxxQ", len(filters), ctypes.addressof(code))
    LIBC.prctl(SECCOMP, FILTER, program, 0, 0)


def _program(*, processes: bool) -> list[tuple[int, int, int, int]]:
    """Signals to itself only, no socket but of the machine's own, and no new process unless some are allowed."""
    number, first = (LOAD, 0, 0, 0), (LOAD, 0, 0, 16)
    deny, allow = (RETURN, 0, 0, DENY), (RETURN, 0, 0, ALLOW)
    found = [(LOAD, 0, 0, 4), (JUMP_EQUAL, 1, 0, 0xC000003E), deny, number]  # another architecture's calls: refused
    for call in REFUSED.values():
        found += [(JUMP_EQUAL, 0, 1, call), deny]
    for call in (KILL, TGKILL):
        found += [(JUMP_EQUAL, 0, 4, call), first, (JUMP_EQUAL, 1, 0, os.getpid()), deny, allow]
    found += [(JUMP_EQUAL, 0, 4, SOCKET), first, (JUMP_EQUAL, 1, 0, 1), deny, allow]  # AF_UNIX
    if not processes:
        for call in FORKS.values():
            found += [(JUMP_EQUAL, 0, 1, call), deny]
        found += [
            (JUMP_EQUAL, 0, 1, CLONE3),
            (RETURN, 0, 0, UNKNOWN),
        ]  # its flags cannot be seen; libc then takes clone
        found += [(JUMP_EQUAL, 0, 4, CLONE), first, (JUMP_SET, 1, 0, THREAD), deny, allow]
    return [*found, allow]


if __name__ == "__main__":
    main()

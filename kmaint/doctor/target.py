"""What the target's interpreter and its GPU have, asked in a child: its packages, the framework, the device's tools."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from packaging.version import InvalidVersion, Version

import extract
from kmaint import wire
from kmaint.child import clean_environment, run_child
from kmaint.errors import MissingError
from kmaint.evaluate.rungs.counters import PERMIT
from kmaint.evaluate.rungs.counters import PROGRAM as NCU
from kmaint.evaluate.rungs.sanitize import PROGRAM as SANITIZER
from kmaint.evaluate.rungs.toolkit import find_program
from kmaint.records.machine import Finding, Standing

ASKED = Path(__file__).with_name("asked.py")
NVCC = Path(extract.__file__).parent / "cuda" / "runtime" / "nvcc.py"
ASKING_S = 180.0
"""The first import of torch from a cold disk takes a minute."""

PACKAGES: Mapping[str, str] = {
    "torch": "running kernels and comparing results",
    "triton": "compiling kernels, and running them without a GPU",
    "pytest": "running suites",
    "hypothesis": "running suites",
}
FRAMEWORKS: Mapping[str, str] = {"sglang": "0.5.17", "vllm": "0.26"}
"""The oldest of each that kmaint is for. Together and unpinned, resolvers settle on releases years older than these."""
USED_FOR_FRAMEWORK = "parity with the op as it is installed, and engine benchmarks"
USED_FOR_GPU = "times: without one a run ends as estimated, and claims no speedup"
PARAMETERS = Path("/proc/driver/nvidia/params")
USED_FOR_NVCC = "harnesses of CUDA sources"
NOWHERE = "not on PATH, nor where CUDA is installed"


@dataclass(frozen=True, kw_only=True)
class Device:
    """A GPU as torch sees it."""

    name: str
    arch: str


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What asked.py said. `trouble` is why it said nothing; `fault` what torch raised."""

    interpreter: Path
    python: str = ""
    packages: dict[str, str] = field(default_factory=dict)
    gpus: tuple[Device, ...] = ()
    cupti: str = ""
    """Why CUPTI gives no records; empty where it does."""
    nvcc: str = ""
    no_headers: tuple[str, ...] = ()
    """Of CUDA's, which torch's own headers include, those that nvcc does not find."""
    fault: str = ""
    trouble: str = ""


def ask(interpreter: Path) -> Answer:
    """Ask the interpreter; one that cannot be started or does not answer is a finding, not an error."""
    words: list[str | Path] = [interpreter, ASKED, NVCC, *PACKAGES, *FRAMEWORKS]
    try:
        finished = run_child(words, timeout_s=ASKING_S, env=clean_environment())
    except MissingError as error:
        return Answer(interpreter=interpreter, trouble=error.message)
    try:
        said = json.loads(finished.stdout)
    except ValueError:
        last = finished.stderr.strip().splitlines()[-1:] or [f"exit status {finished.code}"]
        return Answer(interpreter=interpreter, trouble=f"{interpreter} does not answer: {last[0]}")
    return wire.load(Answer, {"interpreter": interpreter, **said})


def of_interpreter(answer: Answer) -> Iterator[Finding]:
    """The interpreter of --python, and the packages without which nothing runs in it."""
    used_for = "running kernels, which never happens in kmaint's own process"
    if answer.trouble:
        get = "name one with --python, or in kmaint.toml: python = '/path/to/bin/python'"
        yield Finding(name="interpreter", standing="missing", found=answer.trouble, used_for=used_for, get=get)
    else:
        found = f"{answer.interpreter}, Python {answer.python}"
        yield Finding(name="interpreter", standing="ok", found=found, used_for=used_for)
    for name, used_for in PACKAGES.items():
        version, broken = answer.packages.get(name, ""), answer.fault if name == "torch" else ""
        yield Finding(
            name=name,
            standing="ok" if version and not broken else "missing",
            found=f"{version}: {broken}" if broken else version or "not installed",
            used_for=used_for,
            get=f"{answer.interpreter} -m pip install {name}",
        )


def of_framework(answer: Answer) -> Iterator[Finding]:
    """The framework that the interpreter has, and whether it is the one that was meant."""
    there = {name: answer.packages[name] for name in FRAMEWORKS if name in answer.packages}
    if not there:
        names = " or ".join(f"'{name}>={oldest}'" for name, oldest in FRAMEWORKS.items())
        yield Finding(
            name="framework",
            standing="missing",
            found="neither sglang nor vllm is installed",
            used_for=USED_FOR_FRAMEWORK,
            get=f"{answer.interpreter} -m pip install {names}, each in an environment of its own",
        )
    for name, version in there.items():
        oldest = FRAMEWORKS[name]
        old = _is_older(version, oldest)
        yield Finding(
            name="framework",
            standing="limited" if old else "ok",
            found=f"{name} {version}, older than {oldest}: a resolver's downgrade?" if old else f"{name} {version}",
            used_for=USED_FOR_FRAMEWORK,
            get=f"{answer.interpreter} -m pip install '{name}>={oldest}'" if old else "",
        )


def _is_older(version: str, oldest: str) -> bool:
    """A build that names itself by no version is taken for a new one."""
    try:
        return Version(version) < Version(oldest)
    except InvalidVersion:
        return False


def of_device(answer: Answer) -> Iterator[Finding]:
    """The GPU with its driver, what counts and checks on it, and the compiler of CUDA sources."""
    if answer.gpus:
        names = ", ".join(f"{one.name} ({one.arch})" for one in answer.gpus)
        driver = _smi("driver_version")
        yield Finding(name="GPU", standing="ok", found=f"{names}, driver {driver or '?'}", used_for=USED_FOR_GPU)
        yield _cupti(answer)
        yield _clocks()
    else:
        seen = _smi("name")
        found = f"{seen}, and torch cannot use it: is it a CPU build?" if seen else "none that torch can use"
        get = "a machine with an NVIDIA GPU, its driver and a CUDA build of torch"
        yield Finding(name="GPU", standing="missing", found=found, used_for=USED_FOR_GPU, get=get)
    sanitizer = find_program(SANITIZER)
    yield Finding(
        name=SANITIZER,
        standing="ok" if sanitizer else "missing",
        found=sanitizer or NOWHERE,
        used_for="reads out of bounds and races, which values do not show",
        get="install the CUDA toolkit, or name it by CUDA_HOME",
    )
    yield _ncu()
    yield _nvcc(answer)


def _nvcc(answer: Answer) -> Finding:
    if not (nvcc := answer.nvcc or shutil.which("nvcc")):
        found, get = "neither on PATH, nor by CUDA_HOME, nor beside torch", "install the CUDA toolkit and set CUDA_HOME"
        return Finding(name="nvcc", standing="missing", found=found, used_for=USED_FOR_NVCC, get=get)
    if not answer.no_headers:
        return Finding(name="nvcc", standing="ok", found=nvcc, used_for=USED_FOR_NVCC)
    found = f"{nvcc}, which finds no {', '.join(answer.no_headers)}: what takes torch's tensors cannot be built"
    get = "install all of the CUDA toolkit, or nvidia-cublas, nvidia-cusparse and nvidia-cusolver beside torch"
    return Finding(name="nvcc", standing="limited", found=found, used_for=USED_FOR_NVCC, get=get)


def _cupti(answer: Answer) -> Finding:
    standing: Standing = "limited" if answer.cupti else "ok"
    found = answer.cupti or "gives records of what the device ran"
    get = f"let users profile: {PERMIT}" if answer.cupti else ""
    return Finding(
        name="CUPTI", standing=standing, found=found, used_for="holding times against the device's own records", get=get
    )


def _clocks() -> Finding:
    """Whether the SM clock could be locked here; it is not tried, since that would change the machine."""
    now, most = _smi("clocks.sm"), _smi("clocks.max.sm")
    found = f"{now} of {most} MHz"
    used_for = "steadier times; blocks in which the clock moved are measured again either way"
    if os.geteuid() == 0:
        return Finding(name="clocks", standing="ok", found=f"{found}; root may lock them", used_for=used_for)
    found, get = f"{found}; only root may lock them", f"sudo nvidia-smi --lock-gpu-clocks={most}"
    return Finding(name="clocks", standing="limited", found=found, used_for=used_for, get=get)


def _ncu() -> Finding:
    used_for = "hardware counters: what holds the original, a win or a cluster of candidates back"
    program = find_program(NCU)
    if program is None:
        get = "install Nsight Compute, which the CUDA toolkit has; without it profiles rest on compiler facts and times"
        return Finding(name=NCU, standing="missing", found=NOWHERE, used_for=used_for, get=get)
    refused = PARAMETERS.is_file() and "RmProfilingAdminOnly: 1" in PARAMETERS.read_text() and os.geteuid() != 0
    found = f"{program}; counters are for root only" if refused else program
    get = f"in /etc/modprobe.d, then load the driver anew: {PERMIT}" if refused else ""
    return Finding(name=NCU, standing="limited" if refused else "ok", found=found, used_for=used_for, get=get)


def _smi(field_name: str) -> str:
    """One field of the first GPU, as nvidia-smi says it; empty where that is not there."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return ""
    words = [program, "--id=0", f"--query-gpu={field_name}", "--format=csv,noheader,nounits"]
    finished = run_child(words, timeout_s=30.0)
    return finished.stdout.strip() if finished.code == 0 else ""

"""The campaign: kernels of two releases through the whole gate, without a model and with candidates at hand.

    python -m benchmarks.campaign prepare DIR --sglang TREE --vllm TREE     cuts the harnesses, packs what they need
    python -m benchmarks.campaign run DIR OUT [--only TEXT]                 on a GPU: every harness, resumable
    python -m benchmarks.campaign against DIR RUNS OUT --shipped DIR...     on a GPU: recorded runs and what is served
    python -m benchmarks.campaign retime DIR RUNS OUT                       on a GPU: recorded bests, timed once more
    python -m benchmarks.campaign table [--check]                           the README's table, from what was recorded
    python -m benchmarks.campaign check [KERNEL] [--work DIR]               recorded wins, verified from the release on

`run` writes each run as it ends to OUT/HARNESS/builtin.json and handoff.json, which belong into benchmarks/campaign/;
candidates to hand in, which a model wrote, lie in benchmarks/campaign/handoff/HARNESS/. It needs an interpreter with
torch and triton; what else kmaint needs is taken from DIR where that interpreter lacks it.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import site
import sys
import venv
from pathlib import Path


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    preparing = commands.add_parser("prepare")
    preparing.add_argument("folder", type=Path)
    preparing.add_argument("--sglang", type=Path, required=True)
    preparing.add_argument("--vllm", type=Path, required=True)
    preparing.add_argument("--only", default="", help="entries whose id holds this text")
    preparing.add_argument("--python-version", default="3.12", help="of the machine with the GPU")
    running = commands.add_parser("run")
    running.add_argument("folder", type=Path)
    running.add_argument("out", type=Path)
    running.add_argument("--only", default="", help="the harness of this name, or those whose names hold it")
    running.add_argument("--provider", choices=("builtin", "handoff"), help="one of the two  [default: both]")
    running.add_argument("--minutes", type=float, default=6.0, help="for one search of one harness")
    running.add_argument("--candidates", type=int, default=12, help="that each way may take through the gate")
    running.add_argument(
        "--parallel", type=int, default=1, help="harnesses at a time, each with its share of the cores"
    )
    running.add_argument("--cores", type=lambda text: {int(core) for core in text.split(",")}, help="to use no others")
    running.add_argument("--once", action="store_true", help="no second passage for a winner, beside its confirmation")
    running.add_argument("--shipped", type=Path, nargs="*", default=[], help="folders to import shipped operators from")
    running.add_argument("--device", choices=("auto", "cuda", "none"), default="auto")
    shipping = commands.add_parser("against")
    shipping.add_argument("folder", type=Path)
    shipping.add_argument("runs", type=Path, help="recorded ones, such as benchmarks/campaign")
    shipping.add_argument("out", type=Path)
    shipping.add_argument("--only", default="", help="harnesses whose names hold this text")
    shipping.add_argument("--shipped", type=Path, nargs="+", required=True, help="folders to import operators from")
    shipping.add_argument("--device", choices=("auto", "cuda", "none"), default="auto")
    retiming = commands.add_parser("retime")
    retiming.add_argument("folder", type=Path)
    retiming.add_argument("runs", type=Path, help="recorded ones, such as benchmarks/campaign")
    retiming.add_argument("out", type=Path)
    retiming.add_argument("--only", default="", help="harnesses whose names hold this text")
    retiming.add_argument("--below-us", type=float, default=float("inf"), help="with a workload of shorter calls")
    retiming.add_argument("--minutes", type=float, default=60.0, help="after which none is begun")
    retiming.add_argument("--parallel", type=int, default=1, help="at a time; they take turns on the GPU")
    retiming.add_argument("--device", choices=("auto", "cuda", "none"), default="auto")
    printing = commands.add_parser("table")
    printing.add_argument("--check", action="store_true", help="exit status 1 if README.md says something else")
    checking = commands.add_parser("check")
    checking.add_argument("kernel", nargs="?", default="", help="recorded wins whose harness or kernel holds this text")
    checking.add_argument("--all", action="store_true", help="those that won nothing too: they must not win now")
    checking.add_argument("--out", type=Path, metavar="DIR", help="write what became of each there, with raw samples")
    checking.add_argument("--cores", type=lambda text: {int(core) for core in text.split(",")}, help="to use no others")
    checking.add_argument("--work", type=Path, default=Path("build/campaign"), help="for trees, harnesses and state")
    checking.add_argument("--sglang", type=Path, help="a tree of the release, instead of fetching one")
    checking.add_argument("--vllm", type=Path, help="likewise")
    checking.add_argument(
        "--shipped", type=Path, nargs="*", default=[], help="folders to import shipped operators from"
    )
    checking.add_argument("--device", choices=("auto", "cuda", "none"), default="auto")
    options = parser.parse_args()
    if options.command in ("run", "against", "retime") and importlib.util.find_spec("pydantic_settings") is None:
        start_again(options.folder)
    from kmaint.errors import KmaintError

    try:
        return _command(options)
    except KmaintError as error:
        print(f"campaign: {error}", file=sys.stderr)
        return error.exit_code


def _command(options: argparse.Namespace) -> int:
    """Imports as late as it does because a bare interpreter has to come as far as here."""
    if options.command == "prepare":
        from benchmarks.campaign.kernels import read_entries
        from benchmarks.campaign.preparing import PREPARED, cut, pack, read_prepared, write_prepared, write_suites
        from kmaint.config import load_config

        entries, config = [entry for entry in read_entries() if options.only in entry.id], load_config()
        trees = {"sglang": options.sglang, "vllm": options.vllm}
        # Kept in the repository too: the table says what cannot be judged, and why.
        found = [*read_prepared(), *cut(entries, trees, options.folder, config)]
        write_prepared(PREPARED, list({(one.id, one.release): one for one in found}.values()))
        write_suites(options.folder, config)
        pack(options.folder, options.python_version)
        return 0
    if options.command == "run":
        from benchmarks.campaign.running import run
        from benchmarks.campaign.side_by_side import run_all

        return run_all(options) if options.parallel > 1 else run(options)
    if options.command == "against":
        from benchmarks.campaign.against import against

        return against(options)
    if options.command == "retime":
        from benchmarks.campaign.retiming import retime

        return retime(options)
    if options.command == "table":
        from benchmarks.campaign.table import write

        return write(check=options.check)
    from benchmarks.campaign.verifying import verify

    return verify(options)


def start_again(folder: Path, module: str = "benchmarks.campaign") -> None:
    """In an environment of this interpreter's own packages and, behind them, those that `prepare` packed.

    An environment rather than a search path: measured code runs in processes that inherit no variables.
    """
    place = (folder / "venv").resolve()
    if not (place / "bin" / "python").exists():
        venv.EnvBuilder(system_site_packages=True, symlinks=True).create(place)
        library = next((place / "lib").glob("python*/site-packages"))
        # Of an interpreter that is itself an environment, system_site_packages would show what lies under that one.
        behind = [*site.getsitepackages(), str((folder / "site").resolve())]
        (library / "campaign.pth").write_text("".join(f"{path}\n" for path in behind))
        # What candidates in CUDA C++ are loaded with has to lie where walls let their processes read.
        for part in (folder / "site").glob("*tvm_ffi*"):
            shutil.copytree(part, library / part.name)
    python = str(place / "bin" / "python")
    os.execv(python, [python, "-m", module, *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())

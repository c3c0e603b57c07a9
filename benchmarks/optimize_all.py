"""Run `kmaint optimize` on every harness of a folder and keep each run whole: verdicts, raw samples, sources.

    python benchmarks/optimize_all.py HARNESSES OUT [--state DIR] [--minutes M] [--candidates N] [--keep-only]

OUT gets one JSON file a kernel. A machine with a GPU is needed for times; what is found without one says so. With
--keep-only nothing is run: what a state folder holds is written down.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from kmaint import wire
from kmaint.folder import read_harness
from kmaint.store import Store


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("harnesses", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--state", type=Path, default=Path(".kmaint"))
    parser.add_argument("--minutes", default="5")
    parser.add_argument("--candidates", default="6")
    parser.add_argument("--only", nargs="*", help="names of harness folders")
    parser.add_argument("--keep-only", action="store_true")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for folder in sorted(path.parent for path in options.harnesses.glob("*/harness.toml")):
        if options.only and folder.name not in options.only:
            continue
        budget = ["--minutes", options.minutes, "--candidates", options.candidates]
        command = [sys.executable, "-m", "kmaint", "optimize", str(folder), "--state", str(options.state), *budget]
        if not options.keep_only:
            print(f"== {folder.name}", flush=True)
            subprocess.run(command, check=False)
        keep(folder, options.state, options.out)


def keep(folder: Path, state: Path, out: Path) -> None:
    """Write the newest run of the harness as one JSON file."""
    with Store(state) as store:
        runs = [run for run in store.runs() if Path(run.harness).name == folder.name]
        if runs:
            # Without the folders of the machine it ran on: they say nothing to a reader.
            harness = {**wire.dump(read_harness(folder)), "folder": folder.name}
            content = {"harness": harness, "run": {**wire.dump(store.run(runs[-1].id)), "harness": folder.name}}
            (out / f"{folder.name}.json").write_text(wire.text(content, indent=1) + "\n")


if __name__ == "__main__":
    main()

"""Hold every harness of a folder against the op it was cut from, and keep all records in one file.

    python benchmarks/parity.py HARNESSES OUT.json --path DIR [--path DIR] [--tree DIR]

As 'kmaint parity' does it for one. --path names folders from which the framework can be imported, --tree a released
tree, whose file is loaded alone where the framework cannot be imported. Run it on a machine with a GPU.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from kmaint import evaluate, wire
from kmaint.folder import read_harness, write_parity


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("harnesses", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--path", type=Path, action="append", default=[])
    parser.add_argument("--tree", type=Path)
    options = parser.parse_args()
    bench = evaluate.open_bench(device="cuda", progress=print)
    found = {}
    for folder in sorted(path.parent for path in options.harnesses.glob("*/harness.toml")):
        parity = evaluate.hold(read_harness(folder), bench, paths=options.path, tree=options.tree)
        write_parity(folder, parity)
        found[folder.name] = {**wire.dump(parity), "environment": None}
        print(folder.name, parity.state, parity.reason, flush=True)
    content = {"environment": wire.dump(bench.environment), "harnesses": found}
    options.out.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()

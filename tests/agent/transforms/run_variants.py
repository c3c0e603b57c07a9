"""Run in a child: every variant of a harness against its kernel, over sizes that rows per program divide and do not.

run_variants.py HARNESS ENTRY VARIANTS CASES     CASES is JSON lines; prints one line for each difference
"""

from __future__ import annotations

import json
import sys
from pathlib import Path


def main(folder: Path, entry: str, variants: Path, cases: Path) -> None:
    sys.path.insert(0, str(folder))
    from runtime.cases import Case, Contract  # type: ignore[import-not-found]
    from runtime.judge import differences  # type: ignore[import-not-found]
    from runtime.subject import Local, load  # type: ignore[import-not-found]

    contract = Contract.read(folder)
    original = Local(getattr(load(folder / "kernel.py", "kernel"), entry), contract, "cpu")
    drawn = [Case(**json.loads(line)) for line in cases.read_text().splitlines()]
    expected = [original(case) for case in drawn]
    for path in sorted(variants.glob("*.py")):
        variant = Local(getattr(load(path, path.stem), entry), contract, "cpu")
        for case, wanted in zip(drawn, expected, strict=True):
            for found in differences(wanted, variant(case), interpreted=True):
                print(f"{path.stem} on {case}: [{found.code}] {found.text}")
    print(f"ran {len(drawn)} cases")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]))

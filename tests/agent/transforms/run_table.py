"""Child of test_branches: which branch of a dispatch table served each number of rows, told by its exact bits.

run_table.py FOLDER     FOLDER holds shipped.py, small.py, large.py and table.py, each with `launch(x)`
"""

import importlib.util
import sys
from pathlib import Path

import torch

ROWS = {1: "small", 4: "small", 5: "shipped", 6: "large", 9: "large"}


def launched(path: Path, x: torch.Tensor) -> torch.Tensor:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    called = {name for name in vars(module) if name.startswith("launch")}
    result = module.launch(x)
    assert isinstance(result, torch.Tensor) and called
    return result


def main(folder: Path) -> None:
    for rows, branch in ROWS.items():
        x = torch.randn(rows, 37, generator=torch.Generator().manual_seed(rows)) * 3
        table = launched(folder / "table.py", x)
        own = launched(folder / f"{branch}.py", x)
        same = torch.equal(table, own)
        sys.stdout.write(f"{rows} rows: {branch if same else 'something else'}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

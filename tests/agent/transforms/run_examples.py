"""Child of test_catalogue: runs each example and its variants on random rows and prints what differs, as JSON.

Arguments: a folder of NAME.py files, each with `launch(x)`. TRITON_INTERPRET must be set before the import.
"""

import importlib.util
import json
import sys
from pathlib import Path

import torch


def launched(path: Path, x: torch.Tensor) -> torch.Tensor:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    result = module.launch(x.clone())
    assert isinstance(result, torch.Tensor)
    return result


def main(folder: Path) -> None:
    for rows, columns in ((3, 64), (5, 37), (1, 1), (2, 16)):
        x = torch.randn(rows, columns, generator=torch.Generator().manual_seed(columns))
        for before in sorted(folder.glob("*.before.py")):
            name = before.name.removesuffix(".before.py")
            expected = launched(before, x)
            for variant in sorted(folder.glob(f"{name}.[0-9]*.py")):
                got = launched(variant, x)
                difference = (got - expected).abs().max().item() / max(expected.abs().max().item(), 1e-30)
                sys.stdout.write(json.dumps({"name": name, "variant": variant.name, "difference": difference}) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""Child of test_catalogue: compiles each example's kernel for sm_90, which needs no GPU."""

import importlib.util
import sys
from pathlib import Path

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

POINTERS = {"x_ptr", "y_ptr", "out_ptr", "scale_ptr", "part_ptr"}
CONSTANTS = {
    "BLOCK": 64,
    "NARROW_INDEX": True,
    "ONE_BLOCK": True,
    "PARTS": 4,
    "ROWS_PER_PROGRAM": 8,
    "columns": 64,
    "stride": 64,
}


def main(folder: Path) -> None:
    for path in sorted(folder.glob("*.py")):
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        kernel = module.kernel
        constant = {p.name: CONSTANTS[p.name] for p in kernel.params if p.is_constexpr}
        runtime = {name: "*fp32" if name in POINTERS else "i32" for name in kernel.arg_names}
        signature = runtime | dict.fromkeys(constant, "constexpr")
        indices = {(kernel.arg_names.index(name),): value for name, value in constant.items()}
        compiled = triton.compile(
            ASTSource(fn=kernel, signature=signature, constexprs=indices), target=GPUTarget("cuda", 90, 32)
        )
        assert compiled.asm["cubin"], path


if __name__ == "__main__":
    main(Path(sys.argv[1]))

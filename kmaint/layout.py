"""What a file of a framework's repository is for, by its path."""

from __future__ import annotations

import re
from functools import cache
from typing import Literal

Use = Literal["test", "benchmark"]

TEST = re.compile(r"(?:^|/)(?:tests?/|test_[^/]*\.py$|[^/]*_test\.py$)")
BENCHMARK = re.compile(r"(?:^|/)(?:benchmarks?/|bench(?:mark)?_[^/]*\.py$)")


@cache
def use_of(path: str) -> Use | None:
    """Test, benchmark, or None for what serves; a benchmark among tests is a benchmark."""
    if "test" not in path and "bench" not in path:
        return None
    return "benchmark" if BENCHMARK.search(path) else "test" if TEST.search(path) else None

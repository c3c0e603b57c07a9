"""Where in the documentation a script's table stands: between two comments that name the table and the script."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Place:
    """A table's place: the page from the project's root on, and what the two comments say."""

    page: str
    name: str
    script: str
    root: Path = ROOT

    def put(self, table: str, *, check: bool = False) -> bool:
        """Write the table there, or with `check` leave the page as it is; whether something else stood there."""
        file = self.root / self.page
        before = file.read_text()
        head, begin, rest = before.partition(f"<!-- {self.name}: written by {self.script} -->")
        _, end, tail = rest.partition(f"<!-- end of {self.name} -->")
        if not (begin and end):
            raise ValueError(f"{self.page} has no place for {self.name!r}, written by {self.script}")
        after = f"{head}{begin}\n{table.strip(chr(10))}\n{end}{tail}"
        if not check:
            file.write_text(after)
        return after != before

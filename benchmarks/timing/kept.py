"""What has been measured so far, as it lies in one file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


class Kept:
    """The result file: written after every part, read again by the run that continues it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.content: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {"parts": []}

    def has(self, name: str) -> bool:
        return any(part["name"] == name and part["state"] == "measured" for part in self.content["parts"])

    def add(self, part: dict[str, Any]) -> None:
        self.content["parts"] = [one for one in self.content["parts"] if one["name"] != part["name"]] + [part]
        self.write()
        calls = [one["call"] for one in part.get("comparisons", ())]
        said = ", ".join(f"{calls.count(call)} {call}" for call in ("win", "none", "loss")) if calls else part["reason"]
        refused = "".join(f"; refused: {reason}" for reason in part.get("refused", ()))
        print(f"{part['seconds']:6.1f} s  {part['name']}: {said}{refused}", flush=True)

    def write(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(json.dumps(self.content) + "\n")

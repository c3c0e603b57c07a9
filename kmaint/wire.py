"""Records to JSON and back: frozen dataclasses in, checked by their own annotations on the way back."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from pydantic import TypeAdapter

Record = TypeVar("Record")


def dump(record: Any) -> Any:
    """A record, or a container of them, as what `json` can write; paths become text."""
    if dataclasses.is_dataclass(record) and not isinstance(record, type):
        return {name: dump(value) for name, value in fields_of(record).items()}
    if isinstance(record, dict):
        return {str(key): dump(value) for key, value in record.items()}
    if isinstance(record, (list, tuple)):
        return [dump(item) for item in record]
    return str(record) if isinstance(record, Path) else record


def fields_of(record: Any) -> dict[str, Any]:
    """The fields of a record as they are, in their order."""
    kind = type(record)
    if kind not in _FIELDS:
        _FIELDS[kind] = tuple(field.name for field in dataclasses.fields(kind))
    return {name: getattr(record, name) for name in _FIELDS[kind]}


_FIELDS: dict[type, tuple[str, ...]] = {}
"""A scan has ten thousand records of a few kinds."""


def plain(record: Any) -> dict[str, Any] | str:
    """One level of what `dump` gives, for `json` to go on from."""
    return str(record) if isinstance(record, Path) else fields_of(record)


def text(record: Any, *, indent: int | None = None) -> str:
    """Canonical JSON text: equal records give equal bytes."""
    return json.dumps(dump(record), indent=indent, sort_keys=indent is None, ensure_ascii=False)


def load(kind: type[Record], data: Any) -> Record:
    """The record that `dump` turned into `data`; `kind` tells unions apart. ValueError on a mismatch."""
    from pydantic import TypeAdapter  # 0.2 s to import, and a scan needs none of it

    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    found: Record = _ADAPTERS[kind].validate_python(data)
    return found


_ADAPTERS: dict[object, TypeAdapter[Any]] = {}
"""Building the one for Evaluation takes 12 ms, and a run has many."""


def digest(record: Any, *, length: int = 12) -> str:
    """Content hash of a record or text: equal content, equal name, in every process and release of Python."""
    content = record if isinstance(record, str) else text(record)
    return hashlib.sha256(content.encode()).hexdigest()[:length]

"""The rows of each data set: what is in them, that a loader reads them, and that nothing of the machine leaves."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest

from kmaint.learning.scrubbing import MACHINE_PATH
from kmaint.learning.trajectories import SCHEMA, Dataset, Row, Trajectories, trajectories
from kmaint.records.harness import Harness
from kmaint.records.run import Run
from tests.learning.conftest import failed, measured_run, timed

NOBODY: frozenset[str] = frozenset()
TOKEN = "hf_" + "Ab1" * 9


@pytest.fixture
def run() -> Run:
    """The measured one, and after it a wrong edit, its repair, a trick, and a source of somebody's home."""
    more = (
        failed("wrong", name="w", why="as in /home/ann/ideas/list.md"),
        timed(1.3, 1.4, 1.5, win=True, name="r", parent="w"),
        failed("dishonest", name="d", why=f"with {TOKEN}"),
        failed("wrong", name="p", source="path = '/home/ann/x/y'\n"),
        failed("wrong", name="s", source=f"token = '{TOKEN}'\n"),
    )
    measured = measured_run()
    return replace(measured, evaluations=(*measured.evaluations, *more))


def told(run: Run, harness: Harness, to: Dataset) -> Trajectories:
    return trajectories([(run, harness)], to, NOBODY)


def is_conversation(value: Any, role: str) -> bool:
    return [set(message) == {"role", "content"} and message["role"] == role for message in value] == [True]


def test_supervised_rows_are_accepted_edits_only(run: Run, harness: Harness) -> None:
    rows = told(run, harness, "sft").rows
    assert [row["attempt"]["candidate"] for row in rows] == [*(e.candidate.id for e in run.evaluations[:3]), "r"]
    for row in rows:
        assert set(row) == {"prompt", "completion", "attempt", "schema"}
        assert is_conversation(row["prompt"], "user")
        assert is_conversation(row["completion"], "assistant")
        assert row["attempt"]["verdict"]["win"]
        assert row["schema"] == SCHEMA


def test_pairs_answer_one_question(run: Run, harness: Harness) -> None:
    rows = told(run, harness, "preference").rows
    slower = run.evaluations[1].candidate.id
    assert {row["attempt_rejected"]["candidate"] for row in rows} == {slower, "w", "d"}
    for row in rows:
        chosen, rejected = row["attempt_chosen"], row["attempt_rejected"]
        assert is_conversation(row["prompt"], "user")
        assert is_conversation(row["chosen"], "assistant")
        assert is_conversation(row["rejected"], "assistant")
        assert chosen["before"] == rejected["before"]
        assert chosen["parent"] == rejected["parent"]
        assert row["why_chosen"].startswith("right (bit-exact), 2.030 times as fast")
    assert "1.043 times as fast" in rows[0]["why_rejected"]


def test_every_attempt_has_its_reward(run: Run, harness: Harness) -> None:
    rows = {row["attempt"]["candidate"]: row for row in told(run, harness, "rl").rows}
    assert set(rows) == {one.candidate.id for one in run.evaluations} - {"p", "s"}
    assert rows["w"]["reward"] == 0.1
    assert rows["d"]["reward"] == -1.0
    assert (rows["r"]["label"], rows["w"]["label"]) == (True, False)
    for row in rows.values():
        assert set(row) == {"prompt", "completion", "reward", "label", "attempt", "schema"}
        assert set(row["attempt"]["reward_parts"]) == {"built", "right", "honest", "speed"}
        assert row["attempt"]["before"] != row["attempt"]["after"]


@pytest.mark.parametrize("to", ["sft", "preference", "rl"])
def test_nothing_of_the_machine_leaves_it(run: Run, harness: Harness, to: Dataset) -> None:
    found = told(run, harness, to)
    assert found.left_out == (
        f"{run.id} p: its source names a place in the file system",
        f"{run.id} s: its source holds what looks like a secret",
    )
    text = "".join(json.dumps(row, ensure_ascii=False) for row in found.rows)
    assert TOKEN not in text
    assert "ann" not in text
    assert run.harness not in [row.get("harness") for row in found.rows]
    assert str(harness.folder) not in text
    assert "GPU-0" not in text
    assert "build-7" not in text
    assert [found[0] for found in MACHINE_PATH.finditer(text.replace("\\n", "\n"))] == []


def test_the_child_of_what_stays_stays(run: Run, harness: Harness) -> None:
    child = timed(1.3, 1.4, 1.5, win=True, name="c", parent="p")
    found = told(replace(run, evaluations=(*run.evaluations, child)), harness, "sft")
    assert f"{run.id} c: its source names a place in the file system" in found.left_out


def schema_of(value: Any) -> object:
    """The type of a value, as a column of a table has it."""
    if isinstance(value, dict):
        return {name: schema_of(item) for name, item in value.items()}
    if isinstance(value, list):
        return [schema_of(value[0])] if value else []
    return type(value).__name__


def merged(one: object, other: object) -> object:
    """What holds both; AssertionError where no column can: null and an empty list give way."""
    if one in ("NoneType", []) or one == other:
        return other
    if other in ("NoneType", []):
        return one
    if isinstance(one, dict) and isinstance(other, dict):
        assert set(one) == set(other)
        return {name: merged(one[name], other[name]) for name in one}
    assert isinstance(one, list)
    assert isinstance(other, list)
    return [merged(one[0], other[0])]


@pytest.mark.parametrize("to", ["sft", "preference", "rl"])
def test_all_rows_have_one_schema(run: Run, harness: Harness, to: Dataset) -> None:
    rows: list[Row] = [json.loads(json.dumps(row)) for row in told(run, harness, to).rows]
    found = schema_of(rows[0])
    for row in rows:
        found = merged(found, schema_of(row))
    assert isinstance(found, dict)


LOADING = """
import sys, datasets
for name in sys.argv[2:]:
    loaded = datasets.load_dataset("json", data_files=f"{name}.jsonl", split="train", cache_dir=sys.argv[1])
    conversations = [key for key in loaded.column_names if key in ("prompt", "completion", "chosen", "rejected")]
    assert all(set(m) == {"role", "content"} for row in loaded for key in conversations for m in row[key])
    print(name, len(loaded), *sorted(loaded.column_names))
"""


@pytest.mark.slow
def test_datasets_loads_them(run: Run, harness: Harness, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    installed = subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "datasets"], capture_output=True, check=False
    )
    if installed.returncode:
        pytest.skip("datasets cannot be installed here")
    counts: dict[str, int] = {}
    for to in get_args(Dataset):
        rows = told(run, harness, to).rows
        counts[to] = len(rows)
        (tmp_path / f"{to}.jsonl").write_text("".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows))
    words = [str(python), "-c", LOADING, str(tmp_path / "cache"), *counts]
    ended = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines() == [
        f"sft {counts['sft']} attempt completion prompt schema",
        f"preference {counts['preference']} attempt_chosen attempt_rejected chosen prompt rejected schema why_chosen "
        "why_rejected",
        f"rl {counts['rl']} attempt completion label prompt reward schema",
    ]

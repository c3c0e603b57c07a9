"""The rows of each data set: what is in them, that a loader reads them, and that nothing of the machine leaves."""

from __future__ import annotations

import functools
import json
import math
import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, get_args

import pytest

from kmaint.learning.scrubbing import MACHINE_PATH
from kmaint.learning.trajectories import LOOKED_AT, SCHEMA, Dataset, Row, Trajectories, trajectories
from kmaint.records.harness import Harness
from kmaint.records.run import Run
from tests.learning.conftest import failed, measured_run, timed, untimed

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


def without_a_gpu(run: Run, attempts: int) -> Run:
    """One that timed nothing and profiled only what passed, every other attempt; each has 30 KB of comments."""
    source = run.evaluations[0].candidate.source + f"# {'long ' * 15}\n" * 400
    numbered = [{"name": f"c{number}", "source": f"{source}# {number}\n"} for number in range(attempts)]
    made = [untimed(**one) if number % 2 else failed("wrong", **one) for number, one in enumerate(numbered)]
    return replace(run, id="cpu", evaluations=tuple(made), baseline=None)


@pytest.mark.parametrize("to", ["preference", "rl"])
def test_what_shows_the_types_of_columns_comes_first(run: Run, harness: Harness, to: Dataset) -> None:
    both = [(without_a_gpu(run, 240), harness), (run, harness)]
    rows = [json.loads(json.dumps(row)) for row in trajectories(both, to, NOBODY).rows]
    assert sum(len(json.dumps(row)) for row in rows) > LOOKED_AT
    assert functools.reduce(merged, map(schema_of, rows[:6])) == functools.reduce(merged, map(schema_of, rows))
    numbers = [int(row["attempt"]["candidate"][1:]) for row in rows if row.get("attempt", {}).get("run") == "cpu"]
    assert numbers == sorted(numbers), "beyond that the order stays"


def wanted(package: str) -> pytest.MarkDecorator:
    """A skip where what reads the rows is not installed."""
    reason = f"no {package} here: 'make test-slow' installs it, or pip install trl"
    return pytest.mark.skipif(find_spec(package) is None, reason=reason)


def told_by(words: Sequence[str | Path], folder: Path) -> list[str]:
    """The lines of a program of the same interpreter, which is kept from the network."""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(folder / "home"), "CUDA_VISIBLE_DEVICES": ""}
    ended = subprocess.run(
        [sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.splitlines()


def write(rows: Iterable[Row], file: Path) -> None:
    file.write_text("".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows))


LOADING = """
import sys, datasets
loaded = datasets.load_dataset("json", data_files=sys.argv[1], split="train", cache_dir="cache")
print(len(loaded), *sorted({row["run"] for row in loaded["attempt"] if row["speedup"]}))
"""


@wanted("datasets")
@pytest.mark.slow
def test_datasets_loads_a_file_that_begins_with_ten_megabytes_without_a_time(
    run: Run, harness: Harness, tmp_path: Path
) -> None:
    rows = trajectories([(without_a_gpu(run, 240), harness), (run, harness)], "rl", NOBODY).rows
    assert sum(len(json.dumps(row)) for row in rows if row["attempt"]["run"] == "cpu") > LOOKED_AT
    write(rows, tmp_path / "rl.jsonl")
    assert told_by(["-c", LOADING, "rl.jsonl"], tmp_path) == [f"{len(rows)} {run.id}"]


@wanted("trl")
@pytest.mark.slow
def test_trl_trains_on_them(run: Run, harness: Harness, tmp_path: Path) -> None:
    """With real trainers and a model of random weights, two steps each: none refuses a row or leaves one out."""
    counts: dict[str, int] = {}
    for to in get_args(Dataset):
        rows = told(run, harness, to).rows
        counts[to] = len(rows)
        write(rows, tmp_path / f"{to}.jsonl")
    said = told_by([Path(__file__).with_name("training.py"), tmp_path], tmp_path)
    found = [json.loads(line.removeprefix("trained ")) for line in said if line.startswith("trained ")]
    assert [(one["trainer"], one["rows"], one["kept"]) for one in found] == [
        ("SFTTrainer", counts["sft"], counts["sft"]),
        ("DPOTrainer", counts["preference"], counts["preference"]),
        ("RewardTrainer", counts["preference"], counts["preference"]),
        ("KTOTrainer", counts["rl"], counts["rl"]),
        ("GRPOTrainer", counts["rl"], counts["rl"]),
    ]
    for one in found:
        assert len(one["losses"]) == len(one["gradients"]) == 2
        assert all(map(math.isfinite, one["losses"]))
        assert all(gradient > 0.0 for gradient in one["gradients"]), "something was there to learn"
        assert one["shortest"] is None or one["shortest"] > 0

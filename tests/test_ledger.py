"""The ledger: a win is there once, with its evidence as it was, and its history only grows."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from kmaint.ledger import Ledger
from kmaint.records.change import Edit, Patch
from kmaint.records.kernel import Release
from kmaint.records.ledger import Step, Win
from kmaint.records.timing import Interval
from kmaint.store import DATABASE, MIGRATIONS
from tests.test_store import MACHINE, RUN

UPSTREAM = Release(framework="sglang", version="0.5.17", commit="b" * 40, licence="Apache-2.0")
WIN = Win(
    id="merge_state_kernel-1a2b3c4d",
    run=RUN.id,
    kernel=RUN.kernel,
    launcher="merge_state_triton",
    release=UPSTREAM,
    patch=Patch(
        edits=(Edit(path="a.py", symbol="f", line=1, end_line=2, before_sha256="0" * 64, after="x\r\n"),), files={}
    ),
    original="before\r\n",
    source="after\n",
    speedup=Interval(ratio=1.2, low=1.1, high=1.3),
    environment=MACHINE,
    history=(Step(state="landed", said="on a branch", at="2026-11-21T05:00:00+00:00", release=UPSTREAM),),
)


def test_a_win_keeps_its_evidence_and_only_gains_history(tmp_path: Path) -> None:
    newer = replace(UPSTREAM, version="0.5.23", commit="c" * 40)
    overtaken = Step(state="overtaken", said="as fast", at="2026-11-29T05:00:00+00:00", release=newer)
    with Ledger(tmp_path) as ledger:
        ledger.accept(WIN)
        ledger.add_step(WIN.id, overtaken)
        ledger.accept(replace(WIN, source="something else", history=()))
    with Ledger(tmp_path) as ledger:
        [found] = ledger.wins()
    assert found == replace(WIN, history=(*WIN.history, overtaken))
    assert found.retired
    assert not WIN.retired


def test_a_file_from_before_the_ledger_gets_one(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / DATABASE, isolation_level=None)) as database:
        for statements in MIGRATIONS[:2]:
            for statement in statements:
                database.execute(statement)
        database.execute("PRAGMA user_version = 2")
    with Ledger(tmp_path) as ledger:
        ledger.begin(RUN)
        ledger.accept(WIN)
        assert [win.id for win in ledger.wins()] == [WIN.id]

"""What every run found, kept as it happens: one SQLite file beside content-addressed files.

Several processes may write at once, and one killed at any point loses nothing that was recorded before.
"""

from __future__ import annotations

import difflib
import json
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from kmaint import wire
from kmaint.alive import Worker, is_alive
from kmaint.errors import UsageError
from kmaint.folder import sha256
from kmaint.records.evaluation import Evaluation, Profile
from kmaint.records.run import Budget, Run, RunState
from kmaint.records.workload import Json

DATABASE, BLOBS, WORKERS = "state.db", "blobs", "workers"

STARTED = "started"
"""The kind of the events that say which process took a run up: {"worker": name}."""

WAIT_S = 30.0
"""How long a writer waits for another: each holds the lock for one row, so this is never reached on a live disk."""

MIGRATIONS = (
    (
        "CREATE TABLE runs (id TEXT PRIMARY KEY, created TEXT NOT NULL, record TEXT NOT NULL)",
        "CREATE TABLE evaluations (number INTEGER PRIMARY KEY AUTOINCREMENT, run TEXT NOT NULL REFERENCES runs (id),"
        " candidate TEXT NOT NULL, record TEXT NOT NULL, source TEXT NOT NULL, log TEXT NOT NULL,"
        " UNIQUE (run, candidate))",
        "CREATE TABLE events (number INTEGER PRIMARY KEY AUTOINCREMENT, run TEXT NOT NULL REFERENCES runs (id),"
        " at TEXT NOT NULL, kind TEXT NOT NULL, payload TEXT NOT NULL)",
    ),
    (
        "CREATE TABLE claims (run TEXT NOT NULL REFERENCES runs (id), candidate TEXT NOT NULL, worker TEXT NOT NULL,"
        " at TEXT NOT NULL, PRIMARY KEY (run, candidate))",
    ),
    (
        "CREATE TABLE wins (id TEXT PRIMARY KEY, record TEXT NOT NULL, original TEXT NOT NULL, source TEXT NOT NULL)",
        "CREATE TABLE steps (number INTEGER PRIMARY KEY AUTOINCREMENT, win TEXT NOT NULL REFERENCES wins (id),"
        " record TEXT NOT NULL)",
    ),
)
"""Statements that bring a file from schema N to N + 1. Only ever appended to: files in the field are at any of them."""


Claimed = Literal["ours", "theirs", "judged"]
"""theirs: another process that still runs is judging it."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something a run did besides judging a candidate: a plan, a prompt, an answer, a screening table."""

    number: int
    at: str
    kind: str
    payload: Json


class Store:
    """The state folder, opened for as long as the block lasts and made where it is missing."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self._database = _open(state)
        self._worker: Worker | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.close()
        if self._worker is not None:
            self._worker.leave()

    def begin(self, run: Run) -> Run:
        """Add the run, or give back what an earlier run of the same id left, so that it can go on from there."""
        bare = replace(run, evaluations=())
        with self._writing() as database:
            database.execute("INSERT OR IGNORE INTO runs VALUES (?, ?, ?)", (run.id, run.created, wire.text(bare)))
        for evaluation in run.evaluations:
            self.record(run.id, evaluation)
        return self._read(run.id)

    def start(self, run_id: str, budget: Budget) -> Run:
        """Say that this process works on the run from now on, within that budget: it runs again, whatever it was."""
        self.note(run_id, STARTED, {"worker": self._as_worker().name})
        return self._change(run_id, state="running", budget=budget)

    def is_worked_on(self, run_id: str) -> bool:
        """Whether a process that took the run up still runs."""
        workers = self._rows("SELECT payload FROM events WHERE run = ? AND kind = ?", run_id, STARTED)
        return any(is_alive(self.state / WORKERS, json.loads(payload)["worker"]) for (payload,) in workers)

    def claim(self, run_id: str, candidate: str) -> Claimed:
        """Whether this process may judge the candidate now; what a process claimed that has ended is free at once."""
        known, worker = self._known(run_id), self._as_worker().name
        with self._writing() as database:
            if self._rows("SELECT 1 FROM evaluations WHERE run = ? AND candidate = ?", known, candidate):
                return "judged"
            for (holder,) in self._rows("SELECT worker FROM claims WHERE run = ? AND candidate = ?", known, candidate):
                if holder != worker and is_alive(self.state / WORKERS, holder):
                    return "theirs"
            database.execute("INSERT OR REPLACE INTO claims VALUES (?, ?, ?, ?)", (known, candidate, worker, _now()))
        return "ours"

    def release(self, run_id: str, candidate: str) -> None:
        """Let go of a claim of this process, without a verdict."""
        with self._writing() as database:
            row = (run_id, candidate, self._as_worker().name)
            database.execute("DELETE FROM claims WHERE run = ? AND candidate = ? AND worker = ?", row)

    def evaluation(self, run_id: str, candidate: str) -> Evaluation | None:
        """The candidate's verdict in the run, if it has one."""
        query = "SELECT record, source, log FROM evaluations WHERE run = ? AND candidate = ?"
        return next((self._evaluation(*row) for row in self._rows(query, run_id, candidate)), None)

    def _as_worker(self) -> Worker:
        self._worker = self._worker or Worker(self.state / WORKERS)
        return self._worker

    def record(self, run_id: str, evaluation: Evaluation) -> None:
        """Keep a verdict, and end the claim on its candidate with it.

        A candidate has one verdict in a run: recording it again changes nothing.
        """
        data = wire.dump(evaluation)
        source = self._keep(data["candidate"].pop("source"))
        log = self._keep(data["verdict"].pop("log")) if data["verdict"].get("log") else ""
        row = (self._known(run_id), evaluation.candidate.id, json.dumps(data, sort_keys=True), source, log)
        with self._writing() as database:
            database.execute(
                "INSERT OR IGNORE INTO evaluations (run, candidate, record, source, log) VALUES (?, ?, ?, ?, ?)", row
            )
            database.execute("DELETE FROM claims WHERE run = ? AND candidate = ?", row[:2])

    def keep_baseline(self, run_id: str, baseline: Profile) -> Run:
        """Keep the original's own profile with the run."""
        return self._change(run_id, baseline=baseline)

    def finish(self, run_id: str, state: RunState, best: str | None) -> Run:
        """Say how the run stands, and which candidate it is for; the run may still be gone on with."""
        return self._change(run_id, state=state, best=best)

    def run(self, id_or_prefix: str) -> Run:
        """The run of that id, or the only one whose id starts so. UsageError names the nearest ids."""
        ids = self.ids()
        starting = [id_or_prefix] if id_or_prefix in ids else [i for i in ids if i.startswith(id_or_prefix)]
        if len(starting) == 1:
            return self._read(starting[0])
        if starting:
            raise UsageError(f"run {id_or_prefix!r} could be {', '.join(starting[:5])}", "give more of the id")
        near = difflib.get_close_matches(id_or_prefix, ids, n=3, cutoff=0.3) or ids[-3:]
        hint = f"the nearest are {', '.join(near)}" if near else "there are no runs yet: 'kmaint optimize' makes one"
        raise UsageError(f"no run {id_or_prefix!r} in {self.state}", hint)

    def ids(self) -> list[str]:
        """Of all runs, in the order they were begun."""
        return [str(row[0]) for row in self._rows("SELECT id FROM runs ORDER BY created, rowid")]

    def runs(self) -> list[Run]:
        """All runs in the order they were begun, each with its evaluations."""
        return [self._read(run_id) for run_id in self.ids()]

    def note(self, run_id: str, kind: str, payload: Json) -> None:
        """Keep an event of the run; `payload` may hold records."""
        row = (self._known(run_id), _now(), kind, wire.text(payload))
        with self._writing() as database:
            database.execute("INSERT INTO events (run, at, kind, payload) VALUES (?, ?, ?, ?)", row)

    def events(self, run_id: str) -> list[Event]:
        """All events of the run, in the order they were noted."""
        rows = self._rows("SELECT number, at, kind, payload FROM events WHERE run = ? ORDER BY number", run_id)
        return [Event(number=row[0], at=row[1], kind=row[2], payload=json.loads(row[3])) for row in rows]

    def version(self) -> int:
        """Another number than before once another process has written: cheap to ask for, again and again."""
        ((version,),) = self._rows("PRAGMA data_version")
        return int(version)

    def _change(self, run_id: str, **fields: Any) -> Run:
        with self._writing() as database:
            run = replace(self._bare(self._known(run_id)), **fields)
            database.execute("UPDATE runs SET record = ? WHERE id = ?", (wire.text(run), run_id))
        return self._read(run_id)

    def _read(self, run_id: str) -> Run:
        rows = self._rows("SELECT record, source, log FROM evaluations WHERE run = ? ORDER BY number", run_id)
        return replace(self._bare(run_id), evaluations=tuple(self._evaluation(*row) for row in rows))

    def _bare(self, run_id: str) -> Run:
        ((record,),) = self._rows("SELECT record FROM runs WHERE id = ?", run_id)
        return wire.load(Run, json.loads(record))

    def _evaluation(self, record: str, source: str, log: str) -> Evaluation:
        data = json.loads(record)
        data["candidate"]["source"] = self._text(source)
        if log:
            data["verdict"]["log"] = self._text(log)
        return wire.load(Evaluation, data)

    def _known(self, run_id: str) -> str:
        """The id, once it is certain that it names a run: a verdict of no run could never be found again."""
        if not self._rows("SELECT 1 FROM runs WHERE id = ?", run_id):
            raise UsageError(f"no run {run_id!r} in {self.state}", "begin it first")
        return run_id

    def _rows(self, query: str, *values: str) -> list[tuple[Any, ...]]:
        return self._database.execute(query, values).fetchall()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction, taken before anything is read: two writers wait for each other and never collide."""
        self._database.execute("BEGIN IMMEDIATE")
        with self._database:  # commits, or rolls back and lets the error through
            yield self._database

    def _blob(self, digest: str) -> Path:
        return self.state / BLOBS / digest[:2] / digest

    def _text(self, digest: str) -> str:
        return self._blob(digest).read_bytes().decode()  # bytes: reading text would change a source's line ends

    def _keep(self, content: str) -> str:
        """Digest of the content, which is on disk under that name: written aside and put in place in one step."""
        data = content.encode()
        digest = sha256(data)
        place = self._blob(digest)
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=place.parent, prefix=".", delete=False) as aside:
                aside.write(data)
            Path(aside.name).replace(place)
        return digest


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _open(state: Path) -> sqlite3.Connection:
    try:
        state.mkdir(parents=True, exist_ok=True)
        # isolation_level=None: transactions are ours to begin, so that a writer waits instead of failing half-way.
        database = sqlite3.connect(state / DATABASE, timeout=WAIT_S, isolation_level=None)
        _write_ahead(database)
        # In WAL mode NORMAL loses nothing to a killed process; a power cut may lose the last verdicts, never the file.
        database.execute("PRAGMA synchronous = NORMAL")
        database.execute("PRAGMA foreign_keys = ON")
        _migrate(database, state / DATABASE)
    except (OSError, sqlite3.DatabaseError) as error:
        raise UsageError(f"{state}: cannot keep runs there: {error}", "name a folder of your own") from error
    return database


def _write_ahead(database: sqlite3.Connection) -> None:
    """Change to WAL mode. SQLite does not wait for others with that, whatever the time-out, so we do."""
    until = time.monotonic() + WAIT_S
    while True:
        try:
            database.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
        time.sleep(0.005)


def _migrate(database: sqlite3.Connection, path: Path) -> None:
    database.execute("BEGIN IMMEDIATE")
    with database:
        ((version,),) = database.execute("PRAGMA user_version")
        if version > len(MIGRATIONS):
            raise UsageError(
                f"{path}: written by a newer kmaint (schema {version}; this one reads {len(MIGRATIONS)})",
                "upgrade kmaint",
            )
        for statements in MIGRATIONS[version:]:
            for statement in statements:
                database.execute(statement)
        database.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")

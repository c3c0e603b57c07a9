"""The ledger of accepted wins, in the same state folder as the runs that found them: it is only ever added to."""

from __future__ import annotations

import json
from dataclasses import replace

from kmaint import wire
from kmaint.records.ledger import Step, Win
from kmaint.store import Store


class Ledger(Store):
    """The state folder, opened for its wins too."""

    def accept(self, win: Win) -> None:
        """Add a win to the ledger, with its history so far; one that is there already is left as it is."""
        data = wire.dump(replace(win, history=()))
        blobs = self._keep(data.pop("original")), self._keep(data.pop("source"))
        with self._writing() as database:
            row = (win.id, json.dumps(data, sort_keys=True), *blobs)
            new = database.execute("INSERT OR IGNORE INTO wins VALUES (?, ?, ?, ?)", row).rowcount
            if new:
                steps = [(win.id, wire.text(step)) for step in win.history]
                database.executemany("INSERT INTO steps (win, record) VALUES (?, ?)", steps)

    def add_step(self, win_id: str, step: Step) -> None:
        """Add to a win's history."""
        with self._writing() as database:
            database.execute("INSERT INTO steps (win, record) VALUES (?, ?)", (win_id, wire.text(step)))

    def wins(self) -> list[Win]:
        """The ledger, oldest win first, each with its history."""
        return [self._win(*row) for row in self._rows("SELECT id, record, original, source FROM wins ORDER BY rowid")]

    def _win(self, win_id: str, record: str, original: str, source: str) -> Win:
        steps = [
            json.loads(row[0]) for row in self._rows("SELECT record FROM steps WHERE win = ? ORDER BY number", win_id)
        ]
        texts = {"original": self._text(original), "source": self._text(source)}
        return wire.load(Win, {**json.loads(record), **texts, "history": steps})

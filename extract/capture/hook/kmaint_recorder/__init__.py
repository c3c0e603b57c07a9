"""Records, inside somebody else's program, how chosen functions and kernels are called. Needs torch and nothing else.

A chosen module is compiled from its source with one statement more in each chosen function, which hands over its
parameters, and one decorator more on each chosen kernel, which watches its `run`. So signatures, identities, line
numbers and source texts stay what they are, whoever decorates, registers or imports them.

Each process writes two files. NAME.jsonl gets one line for each new way of being called, when it is first seen.
NAME.counts is mapped memory with one 64-bit counter for each of them: a process that is killed loses no count.
"""

from __future__ import annotations

import json
import os
import sys

INSTRUCTIONS = "KMAINT_CAPTURE"
"""Environment variable that names a JSON file with `folder`, the fields of Limits, and `watched`: a list of
{module, qualname, kernel} in which a position is what the files call a watched function or kernel."""


def start() -> None:
    """Watch what the instructions name, from now on and in forked children; nothing without instructions."""
    path = os.environ.get(INSTRUCTIONS)
    if path:
        from .counting import Recorder  # only now: a Python that records nothing starts as fast as ever
        from .editing import Finder

        with open(path) as file:  # noqa: PTH123 - pathlib costs every start
            recorder = Recorder(json.load(file))
        sys.meta_path.insert(0, Finder(recorder))
        os.register_at_fork(after_in_child=recorder.begin_again)

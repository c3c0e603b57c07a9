"""Two nodes on loopback, started by the test: what a lost process had is judged once more, a missing GPU is said."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kmaint import wire
from kmaint.child import run_child
from kmaint.errors import MissingError
from kmaint.evaluate.executors.ray_cluster import open_cluster
from kmaint.records.evaluation import Candidate
from kmaint.records.harness import Harness

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

PROGRAM = """
import json, os, signal, sys, threading, time
from pathlib import Path
import ray
from ray.cluster_utils import Cluster
from kmaint import wire
from kmaint.errors import MissingError
from kmaint.evaluate.executors import Work
from kmaint.evaluate.executors.ray_cluster import open_cluster
from kmaint.folder import read_harness
from kmaint.records.evaluation import Candidate

harness = read_harness(Path(sys.argv[1]))
candidates = wire.load(tuple[Candidate, ...], json.loads(sys.stdin.read()))
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
cluster.add_node(num_cpus=1)
cluster.wait_for_nodes()
found, told = {}, []
try:
    with open_cluster(Path(sys.executable), address=cluster.address, device="cuda", progress=told.append):
        found["missing"] = ""
except MissingError as error:
    found["missing"] = str(error)

def hear(text):
    told.append(text)
    name, _, rest = text.partition(": judged by process ")
    if rest and name == candidates[-1].id and not found.get("killed"):
        found["killed"] = int(rest)
        threading.Timer(3.0, os.kill, (int(rest), signal.SIGKILL)).start()

with open_cluster(Path(sys.executable), address=cluster.address, device="none", jobs=1, progress=hear) as executor:
    evaluations = list(executor.judge(Work(harness=harness, candidates=candidates)))
    found["nodes"] = len({node["NodeID"] for node in ray.nodes() if node["Alive"]})
    found["started"] = dict(executor.started)
found["evaluations"] = [[one.candidate.id, one.verdict.kind] for one in evaluations]
found["told"] = told
cluster.shutdown()
sys.stderr.write("\\nFOUND " + json.dumps(found) + "\\n")
"""


@pytest.fixture(scope="module")
def found(harness: Harness, source: str, propose: Callable[[str], Candidate], tmp_path_factory: Any) -> dict[str, Any]:
    """What came of four candidates on two nodes, when the process that judged the last one was killed."""
    line = "out = p_out * p_scale + s_out * s_scale"
    assert line in source
    edited = [source.replace(line, f"{line}  # {word}") for word in ("one", "two")]
    candidates = [propose(one) for one in ("def (", "import sglang\n", *edited)]
    program = tmp_path_factory.mktemp("ray") / "program.py"
    program.write_text(PROGRAM)
    ended = run_child(
        [sys.executable, program, harness.folder],
        timeout_s=600,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3]), "RAY_USAGE_STATS_ENABLED": "0"},
        stdin=json.dumps(wire.dump(candidates)),
    )
    lines = [line for line in ended.stderr.splitlines() if line.startswith("FOUND ")]
    assert lines, ended.stderr[-3000:] + ended.stdout[-1000:]
    return {**json.loads(lines[-1].removeprefix("FOUND ")), "candidates": [one.id for one in candidates]}


def test_a_lost_process_s_candidates_are_judged_exactly_once_more(found: dict[str, Any]) -> None:
    syntax, forbidden, other, lost = found["candidates"]
    assert found["nodes"] == 2
    kinds = {syntax: "not_built", forbidden: "not_built", other: "passed", lost: "passed"}
    assert sorted(found["evaluations"]) == sorted(map(list, kinds.items()))
    assert found["started"] == {syntax: 1, forbidden: 1, other: 1, lost: 2}
    assert f"{lost}: process {found['killed']} was lost" in found["told"]


def test_a_gpu_that_no_node_has_is_said_and_not_waited_for(found: dict[str, Any]) -> None:
    assert found["missing"].startswith("the Ray cluster has no GPU (it has CPU 2")
    assert found["missing"].endswith(
        "add a node with 'ray start --address ADDRESS --num-gpus 1', or give --device none"
    )


def test_a_cluster_that_is_not_there_is_said() -> None:
    with (
        pytest.raises(MissingError) as missing,
        open_cluster(Path(sys.executable), address="127.0.0.1:1", progress=lambda _text: None),
    ):
        pass
    assert str(missing.value).startswith("no Ray cluster at '127.0.0.1:1'; start one with 'ray start --head'")

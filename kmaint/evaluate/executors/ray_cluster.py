"""A Ray cluster: a process for each GPU, or for each node where none is used, with places for several candidates each.

Ray is asked for nothing that it does not have, since it would wait for that without a word, and retries nothing by
itself: when a process is lost, what it was judging is judged once more by a new one.
"""

from __future__ import annotations

import contextlib
import io
import os
import queue
import socket
import tarfile
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from kmaint import errors, wire
from kmaint.errors import InternalError, KmaintError, MissingError
from kmaint.evaluate.bench import Bench, open_bench
from kmaint.evaluate.bench.warm import warmed
from kmaint.evaluate.executors.local import cores
from kmaint.evaluate.executors.work import Work, hand_out
from kmaint.evaluate.gate import check
from kmaint.folder import read_harness, sha256
from kmaint.records.evaluation import Candidate, Evaluation
from kmaint.records.harness import Harness

Progress = Callable[[str], None]
Device = Literal["auto", "cuda", "none"]

READY_S = 300.0
"""For a process of the cluster to start, import torch and survey its GPU."""
REACH_S = 10.0
PLACES = 4
"""Of each process, where nothing else is said."""
ATTEMPTS = 2
"""A candidate whose process is lost twice is what loses it."""


class Judge:
    """What runs in a process of the cluster: judges candidates of harnesses that are sent along.

    `at_once` of them share its node's cores, those of the node's other processes among them.
    """

    def __init__(self, python: str, device: Device, at_once: int) -> None:
        self._open = contextlib.ExitStack()
        cold = replace(open_bench(Path(python), device=device), threads=max(1, cores() // at_once))
        self._bench: Bench = self._open.enter_context(warmed(cold))
        self._folder = Path(self._open.enter_context(tempfile.TemporaryDirectory(prefix="kmaint-ray-")))
        self._lock = threading.Lock()

    def ready(self) -> int:
        """The id of the process."""
        return os.getpid()

    def judge(self, name: str, packed: bytes, candidate: dict[str, Any]) -> dict[str, Any]:
        """The evaluation, or the `error` of our own that ended it; both as JSON can hold them."""
        try:
            found = check(self._harness(name, packed), wire.load(Candidate, candidate), self._bench)
        except KmaintError as error:
            return {"kind": type(error).__name__, "error": error.message, "hint": error.hint}
        return {"evaluation": wire.dump(found)}

    def _harness(self, name: str, packed: bytes) -> Harness:
        with self._lock:
            if not (self._folder / name).is_dir():
                with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
                    archive.extractall(self._folder / name, filter="data")
        return read_harness(self._folder / name)


@contextlib.contextmanager
def open_cluster(
    python: Path, *, address: str = "auto", device: Device = "auto", jobs: int | None = None, progress: Progress
) -> Iterator[RayCluster]:
    """The cluster at the address, for as long as the block lasts. MissingError where ray, it or a GPU is not there."""
    try:
        import ray
    except ImportError as error:
        raise MissingError("no ray in kmaint's environment", "'pip install kmaint[ray]' adds it") from error
    try:
        _reach(address)
        ray.init(address=address, namespace="kmaint", log_to_driver=False, configure_logging=False)
    except (OSError, ValueError) as error:
        raise MissingError(
            f"no Ray cluster at {address!r}", "start one with 'ray start --head', or name it with KMAINT_RAY"
        ) from error
    try:
        cluster = RayCluster(python, device=device, jobs=jobs or PLACES, progress=progress)
        yield cluster
    finally:
        ray.shutdown()


def _reach(address: str) -> None:
    """OSError at once where nobody listens there: Ray itself would try for minutes."""
    host, _, port = address.rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host, int(port)), timeout=REACH_S).close()


class RayCluster:
    """Judges on every GPU of the cluster, or on every node without one. `started` counts each candidate's attempts."""

    def __init__(self, python: Path, *, device: Device, jobs: int, progress: Progress) -> None:
        import ray

        found: Mapping[str, float] = ray.cluster_resources()
        gpus = int(found.get("GPU", 0))
        if device == "cuda" and not gpus:
            has = ", ".join(f"{name} {found[name]:g}" for name in ("CPU", "GPU", "memory") if name in found)
            raise MissingError(
                f"the Ray cluster has no GPU (it has {has or 'nothing'})",
                "add a node with 'ray start --address ADDRESS --num-gpus 1', or give --device none",
            )
        on_gpu = device != "none" and gpus > 0
        self._python, self._device = str(python), "cuda" if on_gpu else "none"
        self._options = {"num_gpus": 1} if on_gpu else {"num_cpus": 1, "scheduling_strategy": "SPREAD"}
        nodes = [node for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU", 0) >= 1]
        self._count, self._jobs, self._progress = gpus if on_gpu else len(nodes), jobs, progress
        most = max((int(node["Resources"].get("GPU", 0)) for node in nodes), default=1) if on_gpu else 1
        self._at_once = jobs * max(1, most)
        if not self._count:
            raise MissingError("the Ray cluster has no node with a CPU to spare", "add one with 'ray start'")
        self.started = Counter[str]()

    def judge(self, work: Work) -> Iterator[Evaluation]:
        """Each candidate in a process of the cluster; one whose process is lost is judged once more."""
        places = Actors(self, work.harness)
        try:
            yield from hand_out(work, places)
        finally:
            places.close()

    def actor(self) -> Any:
        """A new process, which is asked whether it is there before anything is given to it."""
        import ray

        options = {**self._options, "max_restarts": 0, "max_task_retries": 0, "max_concurrency": self._jobs + 1}
        return ray.remote(Judge).options(**options).remote(self._python, self._device, self._at_once)

    def wait_for(self, actor: Any) -> int:
        """The id of its process. MissingError where it does not come, with what was asked for."""
        import ray

        try:
            return int(ray.get(actor.ready.remote(), timeout=READY_S))
        except ray.exceptions.GetTimeoutError as error:
            wanted = " ".join(f"{name}={value}" for name, value in self._options.items())
            raise MissingError(
                f"the Ray cluster gave no process with {wanted} within {READY_S:.0f} s",
                "see 'ray status' for who holds it",
            ) from error
        except ray.exceptions.RayTaskError as error:
            raise error.as_instanceof_cause() from error

    @property
    def places(self) -> int:
        return self._count * self._jobs

    @property
    def count(self) -> int:
        return self._count

    def say(self, text: str) -> None:
        self._progress(text)


class Actors:
    """The places of one harness's work: a thread for each gives candidates to its process and takes the answers."""

    def __init__(self, cluster: RayCluster, harness: Harness) -> None:
        import ray

        packed = _packed(harness.folder)
        self._cluster, self._name, self._packed = cluster, sha256(packed)[:16], ray.put(packed)
        self._given: queue.SimpleQueue[Candidate | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[Evaluation | BaseException] = queue.SimpleQueue()
        self._standing = [Standing(cluster) for _ in range(cluster.count)]
        for one in self._standing:
            cluster.say(f"process {one.current()[1]} of the cluster is ready")
        self.free = cluster.places
        for n in range(self.free):
            standing = self._standing[n % len(self._standing)]
            threading.Thread(target=self._work, args=(standing,), daemon=True).start()

    def start(self, candidate: Candidate) -> None:
        self.free -= 1
        self._given.put(candidate)

    def finished(self, within_s: float | None) -> Evaluation | None:
        try:
            found = self._done.get(timeout=within_s)
        except queue.Empty:
            return None
        self.free += 1
        if isinstance(found, BaseException):
            raise found
        return found

    def close(self) -> None:
        for _ in range(self._cluster.places):
            self._given.put(None)
        for one in self._standing:
            one.end()

    def _work(self, standing: Standing) -> None:
        while (candidate := self._given.get()) is not None:
            try:
                self._done.put(self._judge(standing, candidate))
            except BaseException as error:  # noqa: BLE001 - raised again where the evaluations are taken
                self._done.put(error)

    def _judge(self, standing: Standing, candidate: Candidate) -> Evaluation:
        import ray

        for _ in range(ATTEMPTS):
            actor, pid = standing.current()
            self._cluster.started[candidate.id] += 1
            self._cluster.say(f"{candidate.id}: judged by process {pid}")
            try:
                said = ray.get(actor.judge.remote(self._name, self._packed, wire.dump(candidate)))
            except (ray.exceptions.RayActorError, ray.exceptions.WorkerCrashedError):
                self._cluster.say(f"{candidate.id}: process {pid} was lost")
                standing.replace(actor)
                continue
            if "error" in said:
                raise getattr(errors, said["kind"], InternalError)(said["error"], said["hint"])
            return wire.load(Evaluation, said["evaluation"])
        raise InternalError(
            f"candidate {candidate.id}: the process that judged it was lost {ATTEMPTS} times",
            "check it alone with 'kmaint check', and look into the cluster's logs",
        )


class Standing:
    """A process of the cluster, replaced once by whoever finds it lost first."""

    def __init__(self, cluster: RayCluster) -> None:
        self._cluster, self._lock = cluster, threading.Lock()
        self._actor, self._pid = cluster.actor(), 0

    def current(self) -> tuple[Any, int]:
        with self._lock:
            if not self._pid:
                self._pid = self._cluster.wait_for(self._actor)
            return self._actor, self._pid

    def replace(self, lost: Any) -> None:
        with self._lock:
            if self._actor is lost:
                self._actor, self._pid = self._cluster.actor(), 0

    def end(self) -> None:
        import ray

        with self._lock:
            ray.kill(self._actor)


def _packed(folder: Path) -> bytes:
    """The harness's folder, for a node that does not have it."""
    found = io.BytesIO()
    with tarfile.open(fileobj=found, mode="w") as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                archive.add(path, arcname=path.relative_to(folder))
    return found.getvalue()

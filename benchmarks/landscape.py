"""Record what the builtin transforms make of kernels, one upon another: as timed by a rough look, or as estimated.

    python -m benchmarks.landscape OUT HARNESS... [--device cuda] [--most 8 3 1] [--parents 2 12]

OUT gets one JSON file a kernel, for benchmarks/replay. Without a GPU each ratio is an estimate from the compiled
kernel, which ranks variants and claims nothing of their speed. On one, variants are timed as a search times them, and
those that it turns down, for a wrong result as a rule, are told from those that do not build. What has its file is left
out.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kmaint import wire
from kmaint.agent.builtin import subject_of, variants
from kmaint.agent.proposal import Parent, Request
from kmaint.agent.transforms.base import Transform
from kmaint.agent.transforms.catalogue import TRANSFORMS
from kmaint.evaluate import Bench, baseline, open_bench, screen, warmed
from kmaint.evaluate.bench import LIMITS_S
from kmaint.evaluate.rungs.facts import Built, compile_all, original_built
from kmaint.evaluate.rungs.profile import estimate_total_us, profile
from kmaint.evaluate.screen import estimate
from kmaint.folder import KERNEL, read_harness, write_text
from kmaint.records.evaluation import Profile
from kmaint.records.harness import Harness

MOST = (8, 3, 1)
"""Variants of one transform that are recorded on the original, on an edit of it, and on an edit of that."""

PARENTS = (2, 12)
"""What is gone on from: so many variants of each transform, then so many pairs. Drawn by chance: had the best been
chosen, a search that always takes the best could not go wrong."""


@dataclass(frozen=True, kw_only=True)
class Node:
    """One source as compiled; `profile` is None where it does not build, `ratio` there and where it is wrong."""

    source: str
    edits: tuple[str, ...]
    ratio: float | None
    reason: str
    profile: Profile | None


@dataclass(frozen=True, kw_only=True)
class Landscape:
    """What is recorded of one kernel; an edge is parent, child, transform and what it did in words."""

    harness: Harness
    bench: Bench
    transforms: tuple[Transform, ...] = TRANSFORMS
    most: Sequence[int] = MOST
    parents: Sequence[int] = PARENTS
    nodes: dict[str, Node] = field(default_factory=dict)
    edges: list[tuple[str, str, str, str]] = field(default_factory=list)

    def expand(self, parents: Sequence[str], most: int) -> list[str]:
        """Make every edit of each parent, at most so many variants a transform; the new nodes that build."""
        fresh: dict[str, tuple[str, tuple[str, ...]]] = {}
        for parent in parents:
            for name, note, source in self._edits(self.nodes[parent], most):
                child = wire.digest(source)
                self.edges.append((parent, child, name, note))
                if child not in self.nodes:
                    fresh.setdefault(child, (source, (*self.nodes[parent].edits, name)))
        found = dict(zip(fresh, self._compiled(list(fresh.values())), strict=True))
        self.nodes.update(found)
        return [name for name, node in found.items() if node.ratio is not None]

    def _edits(self, node: Node, most: int) -> list[tuple[str, str, str]]:
        assert node.profile is not None and node.ratio is not None  # only what builds and is right is expanded
        parent = Parent(id=None, source=node.source, profile=node.profile, ratio=node.ratio)
        subject = subject_of(Request(harness=self.harness, parent=parent, history=(), screen=lambda _sources: []))
        made = variants(subject, node.profile.bottleneck, self.transforms)
        by_name = {one.name: [edited for transform, edited in made if transform is one] for one in self.transforms}
        return [(name, edited.note, edited.source) for name, all_of in by_name.items() for edited in all_of[:most]]

    def _compiled(self, sources: Sequence[tuple[str, tuple[str, ...]]]) -> list[Node]:
        """Compiled at the workloads that move least and most, as screening does it; with a GPU, timed by screening."""
        contract, environment = self.harness.contract, self.bench.environment
        with tempfile.TemporaryDirectory() as name:
            original = original_built(self.harness, self.bench, Path(name))
            before = estimate_total_us(original.launches, contract, environment)
            moved = sorted(before, key=lambda workload: before[workload])
            files = [Path(name) / f"variant_{n}.py" for n in range(len(sources))]
            for file, (source, _) in zip(files, sources, strict=True):
                file.write_text(source)
            built = compile_all(self.harness, files, self.bench, Path(name), only=(moved[0], moved[-1]))
        if self.bench.device == "cuda":
            ranks = screen(self.harness, [source for source, _ in sources], self.bench)
        else:
            ranks = [estimate(self.harness, self.bench, before, found) for found in built]
        nodes = []
        for (source, edits), found, rank in zip(sources, built, ranks, strict=True):
            facts = (
                profile(found.launches, None, contract, environment)
                if isinstance(found, Built) and rank.built
                else None
            )
            ratio = rank.ratio if facts else None  # compiled twice, it may have been built but once
            nodes.append(Node(source=source, edits=edits, ratio=ratio, reason=rank.reason, profile=facts))
        return nodes


def record(
    harness: Harness,
    bench: Bench,
    most: Sequence[int] = MOST,
    parents: Sequence[int] = PARENTS,
    transforms: tuple[Transform, ...] = TRANSFORMS,
) -> Landscape:
    """The original, every edit of it, edits of some of those, and edits of some of those again."""
    (alone, upon, third), (of_each_most, pairs) = most, parents
    found = Landscape(harness=harness, bench=bench, transforms=transforms, most=most, parents=parents)
    source = (harness.folder / KERNEL).read_text()
    root = wire.digest(source)
    found.nodes[root] = Node(source=source, edits=(), ratio=1.0, reason="", profile=baseline(harness, bench))
    chance = random.Random(root)
    first = found.expand([root], alone)
    of_each: dict[str, list[str]] = {}
    for name in first:
        of_each.setdefault(found.nodes[name].edits[0], []).append(name)
    chosen = [one for all_of in of_each.values() for one in chance.sample(all_of, min(of_each_most, len(all_of)))]
    second = found.expand(chosen, upon)
    found.expand(chance.sample(second, min(pairs, len(second))), third)
    return found


def kept(found: Landscape) -> dict[str, Any]:
    """What a file holds. Numbers in place of digests, and no sources: they follow from the kernel and the notes."""
    number = {name: n for n, name in enumerate(found.nodes)}
    environment = found.bench.environment
    return {
        "kernel": found.harness.id,
        "framework": found.harness.provenance.framework,
        "version": found.harness.provenance.version,
        "estimated": found.bench.device == "none",
        "device": environment.device,
        "arch": environment.arch,
        "triton": environment.triton,
        "most": list(found.most),
        "parents": list(found.parents),
        "workloads": [workload.name for workload in found.harness.contract.timed],
        "nodes": [_facts(node) for node in found.nodes.values()],
        "edges": [[number[parent], number[child], name, note] for parent, child, name, note in found.edges],
    }


def _facts(node: Node) -> dict[str, Any]:
    if node.ratio is None or node.profile is None:
        reason = node.reason.splitlines()[0][:100] if node.reason else ""
        return {"ratio": None, "reason": reason, "built": node.profile is not None}
    resources = node.profile.resources
    return {
        "ratio": round(node.ratio, 4),
        "bottleneck": node.profile.bottleneck,
        "estimated": node.profile.estimated,
        "roofline_fraction": node.profile.roofline_fraction and round(node.profile.roofline_fraction, 4),
        "registers": max(one.registers for one in resources),
        "shared_bytes": max(one.shared_bytes for one in resources),
        "spill_bytes": max(one.spill_bytes for one in resources),
        "load_bits": max(one.load_bits for one in resources),
        "num_warps": max(one.num_warps for one in resources),
    }


def one_a_line(content: dict[str, Any]) -> str:
    """JSON with a line for each node and edge, so that a file can be read and two can be compared."""
    fields = []
    for name, value in content.items():
        rows = ",\n".join(json.dumps(row) for row in value) if name in ("nodes", "edges") else ""
        fields.append(f"{json.dumps(name)}: [\n{rows}\n]" if rows else f"{json.dumps(name)}: {json.dumps(value)}")
    return "{\n" + ",\n".join(fields) + "\n}\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("harnesses", type=Path, nargs="+", metavar="HARNESS")
    parser.add_argument("--device", choices=("cuda", "none"), default="none")
    parser.add_argument(
        "--most", type=int, nargs=3, default=MOST, help="variants of a transform, on the original and upon edits of it"
    )
    parser.add_argument(
        "--parents", type=int, nargs=2, default=PARENTS, help="gone on from: variants of a transform, then pairs"
    )
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for folder in options.harnesses:
        file = options.out / f"{folder.name}.json"
        if file.exists():
            continue
        started = time.monotonic()
        with warmed(open_bench(device=options.device, limits_s={"compile": LIMITS_S["variant"]})) as bench:
            content = kept(record(read_harness(folder), bench, options.most, options.parents))
        write_text(file, one_a_line(content))
        print(f"{folder.name}: {len(content['nodes'])} nodes in {time.monotonic() - started:.0f} s", flush=True)


if __name__ == "__main__":
    main()

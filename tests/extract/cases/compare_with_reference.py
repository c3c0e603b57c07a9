"""Calls launchers on small cases under the Triton interpreter and prints, as JSON, how far from its reference each is.

Arguments: a folder that holds, for each, a folder with kernel.py, reference.py and workloads.json; then NAME=LAUNCHER=CASES.
"""

import json
import random
import sys
from pathlib import Path

import torch
from runtime import building, cases, contents, judge, outcomes, performing, subject

SMOOTH = ("normal", "small", "constant")
"""Profiles under which an error against float64 means something for every dtype."""


def draw(contract, generator):
    while True:
        axes = {}
        for name, axis in contract.axes.items():
            small = [size for size in (1, 2, 3, 7, 17, 33, *axis["edges"]) if axis["low"] <= size]
            axes[name] = generator.choice(axis["choices"] or small)
        layout, values = generator.choice(building.LAYOUTS), generator.choice(contents.PROFILES)
        case = cases.Case(seed=generator.randrange(10**6), values=values, layout=layout, **axes)
        if not contract.admits(case):
            continue
        if sum(buffer.raw.numel() for buffer in building.build(contract, case, "cpu").buffers.values()) < 1_000_000:
            return case


def compare(entry, reference, contract, case, worst):
    given = building.build(contract, case, "cpu").arguments
    floating = {name: isinstance(value, torch.Tensor) and value.is_floating_point() for name, value in given.items()}
    truth = reference(**{name: value.double() if floating[name] else value for name, value in given.items()})
    outcome = performing.perform(entry, contract, case, "cpu")
    assert not outcome.error and not outcome.overrun, (case, outcome.error, outcome.overrun)
    leaves = {leaf.path: leaf for leaf in outcome.leaves}
    for path, leaf in leaves.items():
        assert not judge.damaged(leaf), (case, path)
        assert not leaf.written or leaf.kind == "scratch" or path in truth, (case, path)
    for path, expected in truth.items():
        got = outcomes.tensor_of(leaves[path])
        assert got.shape == expected.shape, (case, path)
        judged = got.dtype not in judge.INTERPRETER_CANNOT_JUDGE and case.values in SMOOTH
        if judged and got.numel():
            # subnormal numbers of float16 have few bits: their error counts against its smallest normal number
            error = (got.double() - expected).abs().amax() / expected.abs().amax().clamp_min(6.2e-5)
            worst[str(got.dtype)] = max(worst.get(str(got.dtype), 0.0), float(error))


def main():
    torch.set_num_threads(1)
    found = {}
    for word in sys.argv[2:]:
        name, launcher, count = word.split("=")
        folder = Path(sys.argv[1]) / name
        contract, generator, worst = cases.Contract.read(folder), random.Random(5), {}
        entry = getattr(subject.load(folder / "kernel.py", f"kernel_{name}"), launcher)
        reference = subject.load(folder / "reference.py", f"reference_{name}").reference
        for turn in range(int(count)):
            case = draw(contract, generator)
            compare(entry, reference, contract, case.but(values="normal") if turn % 2 else case, worst)
        found[name] = worst
    print(json.dumps(found))


main()

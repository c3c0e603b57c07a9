"""What stands in a page as a name and a text beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from kmaint import counted
from kmaint.records.change import Landing
from kmaint.records.engine import EngineBench
from kmaint.records.evaluation import Environment, Evaluation, Passed, speedup
from kmaint.records.harness import Harness
from kmaint.records.run import Run
from kmaint.records.spent import Spent
from reports import evidence, numbers
from reports.evidence import Row, Standing

WORDS: dict[Standing, str] = {"faster": "faster", "same": "the same", "slower": "slower"}


@dataclass(frozen=True, kw_only=True)
class Fact:
    """A name and what stands beside it; `good` colours it: as what is faster, or slower."""

    name: str
    text: str
    good: Standing | None = None


def key_numbers(best: Evaluation | None, rows: list[Row]) -> Iterator[Fact]:
    """What stands below the headline."""
    if best is None or not isinstance(best.verdict, Passed):
        return
    if found := speedup(best):
        yield Fact(name="95 % interval", text=numbers.interval(found))
        if first := best.verdict.first:
            told = f"{numbers.ratio(first.speedup.ratio)} ({numbers.interval(first.speedup)})"
            yield Fact(name="measured at first", text=told)
        for word in WORDS:
            if count := sum(row.standing == word for row in rows):
                yield Fact(name=f"workloads {WORDS[word]}", text=f"{count} of {len(rows)}", good=word)
    yield Fact(name="results", text=best.verdict.numerics.kind)
    profile = best.verdict.profile
    if profile.roofline_fraction is not None and not profile.estimated:
        yield Fact(name="of the roofline", text=numbers.percent(profile.roofline_fraction))


def engines(found: Sequence[EngineBench]) -> Iterator[Fact]:
    """What each engine made of the patch, beside what the kernel's own time says."""
    for one in found:
        others = f", with {len(one.runs) - 1} more" if len(one.runs) > 1 else ""
        good = evidence.standing(one.speedup)
        yield Fact(name=f"{one.engine}, served{others}", text=numbers.ratio(one.speedup.ratio), good=good)


def counters(run: Run, best: Evaluation | None) -> Iterator[Fact]:
    """What the hardware counted of the original and of the shown candidate, and what that says of each."""
    after = best.verdict.profile if best and isinstance(best.verdict, Passed) else None
    for which, profile in (("original", run.baseline), ("new", after)):
        if profile is not None and profile.counters is not None:
            evidence = profile.evidence or "no counter says what holds it back"
            yield Fact(name=f"{which}: {profile.bottleneck}", text=evidence)
            for line in counted.lines(profile.counters):
                yield Fact(name=f"{which}, counted", text=line)


def numerics(best: Evaluation | None) -> Iterator[Fact]:
    """How its results differ from the original's, and both from the truth."""
    if best is None or not isinstance(best.verdict, Passed):
        return
    found = best.verdict.numerics
    exact = (
        "the same to the bit as the original's"
        if found.kind == "bit-exact"
        else "differ from the original's in rounding"
    )
    yield Fact(name="results", text=exact)
    yield Fact(name="largest difference", text=numbers.scientific(found.max_difference))
    for name, value in (("original", found.original_error), ("new", found.candidate_error)):
        if found.oracle and value is not None:
            yield Fact(
                name=f"error of the {name} against float64", text=f"{numbers.scientific(value)} of the row's scale"
            )


def patch(landing: Landing | None) -> Iterator[Fact]:
    """What kind of patch it is, and why no smaller one."""
    if landing is None:
        return
    yield Fact(name="kind", text=f"{landing.kind}: {evidence.KINDS[landing.kind]}")
    if landing.reason:
        yield Fact(name="why this kind", text=landing.reason)
    yield Fact(name="branch", text=f"{landing.branch} at {landing.commit[:12]}, off {landing.base[:12]}")
    yield Fact(name="size", text=f"{landing.stat}; applies to a clean clone")
    if landing.author:
        yield Fact(name="committed as", text=landing.author)


def cost(run: Run, spent: Spent) -> Iterator[Fact]:
    """What the run took, each beside what it was allowed; money that nobody named is unknown."""
    budget, usage = run.budget, spent.usage
    yield Fact(name="candidates", text=_of(f"{spent.candidates} judged", budget.candidates, str))
    sat = "time unknown in all" if spent.wall_minutes is None else f"{numbers.minutes(spent.wall_minutes)} in all"
    device = f"{numbers.minutes(spent.device_minutes)} of it on the device"
    yield Fact(name="time", text=_of(f"{sat}, {device}", budget.minutes, numbers.minutes))
    requests = f" in {usage.requests:,} request{'s' * (usage.requests != 1)}" if usage.requests else ""
    yield Fact(name="tokens", text=_of(f"{usage.tokens:,}{requests}", budget.tokens, "{:,}".format))
    yield Fact(name="money", text=_of(numbers.dollars(usage.cost_usd), budget.cost_usd, numbers.dollars))
    if spent.faults:
        yield Fact(name="answers of no use", text=str(spent.faults))


def _of(used: str, most: float | None, spelled: Callable[[float], str]) -> str:
    return used if most is None else f"{used}; {spelled(most)} allowed"


def environment(machine: Environment | None) -> Iterator[Fact]:
    """What it was run on; a number that nobody read is absent."""
    if machine is None:
        return
    yield Fact(name="device", text=machine.device or f"none; compiled for {machine.arch}")
    if machine.device:
        yield Fact(name="architecture", text=machine.arch)
    optional = (
        ("driver", machine.driver),
        ("CUDA", machine.cuda),
        ("multiprocessors", machine.multiprocessors),
        ("L2", machine.l2_bytes and f"{machine.l2_bytes / 2**20:.0f} MiB"),
        ("memory bandwidth", machine.memory_bandwidth_gbps and f"{machine.memory_bandwidth_gbps:,.0f} GB/s, measured"),
        ("SM clock", machine.clocks_mhz and " → ".join(f"{clock} MHz" for clock in machine.clocks_mhz)),
    )
    for name, value in optional:
        if value:
            yield Fact(name=name, text=str(value))
    for name, text in (("torch", machine.torch), ("triton", machine.triton), ("Python", machine.python)):
        yield Fact(name=name, text=text)
    yield Fact(name="platform", text=machine.platform)
    why = f": {machine.sandbox_reason}" if machine.sandbox_reason else ""
    yield Fact(name="sandbox", text=f"{machine.sandbox}{why}")


def provenance(run: Run, harness: Harness) -> Iterator[Fact]:
    """Where the kernel is from, and which run this is."""
    origin = harness.provenance
    yield Fact(name="cut from", text=f"{evidence.release(harness)}, {origin.path}:{origin.line}")
    yield Fact(name="licence", text=origin.licence)
    yield Fact(name="file", text=f"sha256 {origin.files[origin.path]}" if origin.path in origin.files else origin.path)
    yield Fact(name="run", text=f"{run.id}, begun {run.created}")
    yield Fact(name="searched by", text=f"{run.provider}, {run.strategy}")
    if run.best:
        yield Fact(name="winner", text=run.best)
    for stub in harness.stubs:
        yield Fact(name=f"stand-in for {stub.symbol}", text=stub.reason)

"""One kernel's derivation: what was read, whom to ask, and what is left to spend."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from extract.deriving.alone.draft import Draft, evaluated, virtual_strides
from extract.deriving.alone.uses import KernelText
from extract.deriving.prober import ALL, Answer, Effort, Prober, Request
from kmaint import wire
from kmaint.records.workload import Binding, Contract, Json


@dataclass
class Search:
    """One kernel's derivation: what was read, whom to ask, and what is left to spend."""

    text: KernelText
    prober: Prober
    effort: Effort
    taken: frozenset[str]
    """The entry's parameters."""
    limit_s: float
    trials: int = 0

    @property
    def exhausted(self) -> bool:
        return self.trials >= self.effort.trials or self.prober.spent_s > self.limit_s

    def ask(self, requests: list[Request], *, beyond: int = ALL) -> list[Answer]:
        """Answers in order; with `beyond` only up to the first that succeeds, see probes.kernel.answers."""
        limited = [{**one, "limit_s": self.effort.trial_s} for one in requests]
        answers = self.prober.ask(limited, beyond=beyond, within_s=max(0.0, self.limit_s - self.prober.spent_s))
        self.trials += len(answers)
        return answers

    @property
    def grid(self) -> str:
        """What the entry calls its grid."""
        return "grid" if "grid" in self.taken else "launch_grid"

    def options(self, draft: Draft) -> dict[str, int]:
        """The launch options that the entry takes."""
        return {name: value for name, value in draft.options.items() if name in self.taken}

    def virtual(self, draft: Draft, which: int) -> Request:
        """The draft on virtual memory, on one set of axes; HarnessError where its expressions cannot be had."""
        strides = virtual_strides(draft, narrow={n for n, one in self.text.parameters.items() if one.constexpr})
        values: dict[str, Json] = {
            name: evaluated(draft, value, which) for name, value in draft.scalars.items() if value != {"default": True}
        }
        sizes = [evaluated(draft, f"={size}", which) for size in draft.grid]
        values |= {self.grid: {"tuple": sizes}, **self.options(draft)}
        axes = draft.bound(which)
        tensors = {
            name: {
                "dtype": draft.dtype if pointer.dtype == "DT" else pointer.dtype,
                "content": pointer.content,
                "bound": int(axes.get(pointer.bound, 1)),
                "steps": [strides[one] for one in draft.strides.get(name, ())],
            }
            for name, pointer in draft.pointers.items()
        }
        return {"tensors": tensors, "values": values, "strides": strides}

    @staticmethod
    def real(contract: Contract, axes: Mapping[str, Binding], *, seed: int = 1) -> Request:
        """The contract on tensors."""
        return {"contract": wire.dump(contract), "case": {"seed": seed, **axes}}


def through(answer: Answer) -> bool:
    stored = any(one["stored"] for one in answer["touched"].values())
    return not answer["error"] and stored and all(one["low"] >= 0 for one in answer["touched"].values())

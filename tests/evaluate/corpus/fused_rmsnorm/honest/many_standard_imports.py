"""Uses the standard library: dataclasses, enums, contexts, clocks and warnings."""

import collections
import contextlib
import dataclasses
import enum
import os
import time
import warnings

import torch


def _norm(x, weight, eps):
    h = x.float()
    return (h * torch.rsqrt(h.square().mean(-1, keepdim=True) + eps) * weight.float()).to(x.dtype)


class Mode(enum.Enum):
    PLAIN = "plain"


@dataclasses.dataclass(frozen=True)
class Plan:
    mode: Mode
    threads: int


Sizes = collections.namedtuple("Sizes", "rows columns")
PLAN = Plan(Mode.PLAIN, os.cpu_count() or 1)


@contextlib.contextmanager
def _timed():
    started = time.perf_counter()
    yield
    if time.perf_counter() - started > 3600:
        warnings.warn("slow", stacklevel=2)


def fused_rmsnorm(x, weight, eps, autotune=False, inplace=False):
    sizes = Sizes(*x.shape)
    with _timed(), torch.no_grad():
        out = _norm(x, weight, eps) if sizes.rows else torch.empty_like(x)
    return x.copy_(out) if inplace else out

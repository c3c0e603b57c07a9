"""What a candidate has no business changing is noticed when it is changed."""

import gc
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.testing

from extract.runtime.performing import Allocations
from extract.runtime.snapshot import Snapshot

MODE = Allocations()


def _unlike(*_args: Any, **_options: Any) -> bool:
    return True


@pytest.fixture(scope="module")
def snapshot() -> Snapshot:
    return Snapshot()


@pytest.mark.parametrize(
    ("holder", "name", "said"),
    [
        (torch, "allclose", "torch.allclose was replaced"),
        (torch.testing, "assert_close", "torch.testing.assert_close was replaced"),
        (torch.cuda, "synchronize", "torch.cuda.synchronize was replaced"),
        (time, "perf_counter", "time.perf_counter was replaced"),
        (torch.Tensor, "cpu", "torch.Tensor.cpu was put before the one it inherits"),
    ],
)
def test_a_replaced_function(
    snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch, holder: object, name: str, said: str
) -> None:
    assert snapshot.change() == ""
    monkeypatch.setattr(holder, name, _unlike)
    assert snapshot.change() == said


def test_a_function_of_the_library_in_another_s_place(snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "allclose", torch.is_tensor)
    assert snapshot.change() == "torch.allclose was replaced"


def test_replaced_code(snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.is_tensor, "__code__", (lambda obj: True).__code__)
    assert snapshot.change() == "torch.is_tensor was replaced"


@pytest.mark.parametrize(
    ("change", "back", "said"),
    [
        (
            lambda: torch.set_default_dtype(torch.float16),
            lambda: torch.set_default_dtype(torch.float32),
            "default dtype was torch.float32 and is torch.float16",
        ),
        (
            lambda: torch.set_float32_matmul_precision("medium"),
            lambda: torch.set_float32_matmul_precision("highest"),
            "precision of float32 matrix products was highest and is medium",
        ),
        (
            lambda: torch.set_grad_enabled(False),
            lambda: torch.set_grad_enabled(True),
            "grad mode was True and is False",
        ),
        (
            MODE.__enter__,
            lambda: MODE.__exit__(None, None, None),
            "modes that see every operator was (0, 0) and is (1, 0)",
        ),
        (
            lambda: gc.callbacks.append(_unlike),
            lambda: gc.callbacks.remove(_unlike),
            "what garbage collection calls was () and is ('_unlike',)",
        ),
    ],
)
def test_a_setting(snapshot: Snapshot, change: Callable[[], object], back: Callable[[], object], said: str) -> None:
    change()
    try:
        assert snapshot.change() == said
    finally:
        back()
    assert snapshot.change() == ""


@pytest.mark.parametrize(
    ("change", "back", "said"),
    [
        (
            lambda: signal.signal(signal.SIGUSR1, _unlike),
            lambda: signal.signal(signal.SIGUSR1, signal.SIG_DFL),
            "'SIGUSR1 _unlike'",
        ),
        (
            lambda: signal.setitimer(signal.ITIMER_VIRTUAL, 1000.0),
            lambda: signal.setitimer(signal.ITIMER_VIRTUAL, 0.0),
            "True, False)",
        ),
    ],
)
def test_what_is_called_later(
    snapshot: Snapshot, change: Callable[[], object], back: Callable[[], object], said: str
) -> None:
    """Beside the alarm by which pytest ends a test that hangs."""
    change()
    try:
        before, _, now = snapshot.change().partition(" and is ")
        assert said not in before
        assert said in now
    finally:
        back()
    assert snapshot.change() == ""

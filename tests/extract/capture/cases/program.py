"""What a user runs: `program.py MODE`. Knows nothing of a recorder."""

import multiprocessing
import os
import signal
import sys
import threading
import time

import torch
from vllm.ops.method import Adder
from vllm.ops.scale import OPS, double, gather, scale, twice


def plain() -> None:
    x = torch.arange(24, dtype=torch.float32)
    for _ in range(3):
        assert torch.equal(scale(x), x * 2)
    OPS["scale"](x, 0.5, out=x)
    twice(x[1:9])
    index = torch.tensor([3, 1, 2])
    gather(x, index, [2, 3])
    try:
        gather(x, index, [2], "broken")
    except ValueError as error:
        print(error)
    adder = Adder()
    adder.fill()
    adder.add(x)


def forked() -> None:
    child(multiprocessing.get_context("fork"))


def spawned() -> None:
    child(multiprocessing.get_context("spawn"))


def child(context: multiprocessing.context.BaseContext) -> None:
    scale(torch.ones(4))
    process = context.Process(target=scale, args=(torch.ones(4),))
    process.start()
    process.join()
    assert process.exitcode == 0


def killed() -> None:
    for _ in range(5):
        scale(torch.ones(4))
    os.kill(os.getpid(), signal.SIGKILL)


def interrupted() -> None:
    scale(torch.ones(4))
    print("ready", flush=True)
    try:
        time.sleep(60)
    except KeyboardInterrupt:
        sys.exit(7)


def threads() -> None:
    x, index = torch.ones(8), torch.arange(8)

    def run() -> None:
        for _ in range(500):
            double(x)
            double(index)

    running = [threading.Thread(target=run) for _ in range(4)]
    for one in running:
        one.start()
    for one in running:
        one.join()


def alternating() -> None:
    x, index = torch.ones(8), torch.arange(8)
    for _ in range(2000):
        double(x)
        double(index)


def compiled() -> None:
    whole = torch.compile(lambda x: double(x) + 1, backend="eager", fullgraph=True)
    for _ in range(3):
        assert torch.equal(whole(torch.ones(4)), torch.full((4,), 3.0))
    double(torch.ones(4))


def many() -> None:
    double(torch.arange(8))
    for size in range(1, 20):
        double(torch.ones(size))
        double(torch.ones(1))


def unusual() -> None:
    """Arguments that no harness can make, and tensors that hold nothing."""
    from torch._subclasses.fake_tensor import FakeTensorMode

    class Strange(torch.nn.Parameter):
        pass

    with FakeTensorMode():
        double(torch.ones(4))
    double(Strange(torch.ones(4), requires_grad=False))
    double(torch.ones(4).expand(3, 4))
    double(torch.ones(2, dtype=torch.bool))
    double(torch.tensor([5, 6], dtype=torch.uint32))
    for given in (torch.ones(4).to_sparse(), object()):
        try:
            double(given)
        except (AttributeError, TypeError) as error:
            print(type(error).__name__)


if __name__ == "__main__":
    globals()[sys.argv[1]]()

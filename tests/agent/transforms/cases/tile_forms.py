"""Forms that lifting a program axis has to get right, each a kernel NAME and its launcher launch_NAME(x)."""

import torch
import triton
import triton.language as tl


@triton.jit
def branches(out, x, WIDTH, BLOCK: tl.constexpr):
    """A per-row `if` with an `else`, loads and stores inside it, and a variable that both set."""
    row = tl.program_id(0)
    cols = tl.arange(0, BLOCK)
    mask = cols < WIDTH
    first = tl.load(x + row * WIDTH)
    factor = first * 0.0
    if first > 0:
        # larger
        factor = tl.load(x + row * WIDTH + WIDTH - 1)
        factor += 1.0
        tl.store(out + row * WIDTH + cols, tl.load(x + row * WIDTH + cols, mask=mask) * factor, mask=mask)
    else:
        factor = first - 1.0
        tl.store(out + row * WIDTH, factor)
    if factor > 0.5:
        tl.store(out + row * WIDTH, factor * 2.0)
        return
    tl.store(out + row * WIDTH + WIDTH - 1, factor)


def launch_branches(x):
    out = torch.zeros_like(x)
    branches[(x.shape[0],)](out, x, x.shape[1], BLOCK=triton.next_power_of_2(x.shape[1]))
    return out


@triton.jit
def clash(out, x, WIDTH, BLOCK: tl.constexpr):
    """Names that the lifting would choose itself, and a return whose condition fills two lines."""
    row_idx = tl.program_id(0)
    row_mask = tl.arange(0, BLOCK) < WIDTH
    first = tl.load(x + row_idx * WIDTH)
    if (
        (first < -1.0)  # far below
        & (first > -9.0)
    ):
        return
    values = tl.load(x + row_idx * WIDTH + tl.arange(0, BLOCK), mask=row_mask, other=0.0)
    tl.store(out + row_idx * WIDTH + tl.arange(0, BLOCK), values + tl.program_id(0), mask=row_mask)


def launch_clash(x):
    out = torch.zeros_like(x)
    rows = x.shape[0]
    grid = lambda meta: (rows,)
    clash[grid](out, x, x.shape[1], BLOCK=triton.next_power_of_2(x.shape[1]))
    return out


@triton.jit
def carried(out, x, WIDTH, CHUNK: tl.constexpr):
    """A loop that carries scalars and blocks which start the same for every row."""
    row = tl.program_id(0)
    total = tl.zeros([CHUNK], dtype=tl.float32)
    top = float("-inf")
    for start in range(0, WIDTH, CHUNK):
        cols = start + tl.arange(0, CHUNK)
        values = tl.load(x + row * WIDTH + cols, mask=cols < WIDTH, other=0.0)
        total += values
        top = tl.maximum(top, tl.max(values, axis=0))
    for start in range(0, WIDTH, CHUNK):
        cols = start + tl.arange(0, CHUNK)
        tl.store(out + row * WIDTH + cols, total + top, mask=cols < WIDTH)


def launch_carried(x):
    out = torch.zeros_like(x)
    carried[(x.shape[0],)](out, x, x.shape[1], 8)
    return out


@triton.jit
def crosswise(out, x, WIDTH, HALF: tl.constexpr):
    """A 2-D block reduced along its last dimension: what is left lies along the first."""
    row = tl.program_id(0)
    pairs = tl.arange(0, HALF)[:, None] * 2 + tl.arange(0, 2)[None, :]
    values = tl.load(x + row * WIDTH + pairs, mask=pairs < WIDTH, other=0.0)
    tops = tl.max(values, axis=1)
    halves = tl.arange(0, HALF)
    tl.store(out + row * WIDTH + pairs, values + tops[:, None], mask=pairs < WIDTH)
    tl.store(out + row * WIDTH + halves * 2, tops * halves, mask=halves * 2 < WIDTH)


def launch_crosswise(x):
    out = torch.zeros_like(x)
    half = triton.next_power_of_2(triton.cdiv(x.shape[1], 2))
    crosswise[(x.shape[0],)](out, x, x.shape[1], half)
    return out


@triton.jit
def choices(out, x, WIDTH, COUNT, BLOCK: tl.constexpr, SCALED: tl.constexpr = True):
    """`and`, `or`, `not` and a chosen value of rows; a count that the kernel has; a parameter with a default."""
    row = tl.program_id(0)
    cols = tl.arange(0, BLOCK)
    first = tl.load(x + row * WIDTH)
    low = first < 0
    scale = 2.0 if SCALED else 1.0
    if (not low and row > 0) or COUNT == 1:
        scale = first
    side = -1.0 if low or first > 2.0 else scale
    share = row / tl.num_programs(0)
    tl.store(out + row * WIDTH + cols, cols * side + share, mask=cols < WIDTH)


def launch_choices(x):
    out = torch.zeros_like(x)
    choices[(x.shape[0],)](out, x, x.shape[1], x.shape[0], triton.next_power_of_2(x.shape[1]))
    return out

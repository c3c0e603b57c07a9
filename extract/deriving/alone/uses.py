"""How a kernel uses its parameters, and where the values in it come from."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Parameter:
    """One parameter of a jit function and how it is used; `default` is its source, None where it has none."""

    name: str
    annotation: str = ""
    default: str | None = None
    loaded: bool = False
    stored: bool = False
    address: bool = False
    """Part of an offset into memory, and so a whole number."""
    tile: bool = False
    """Size of a tile: a power of two."""
    condition: bool = False
    """Decides a branch by itself."""
    dtype: bool = False
    called: bool = False
    """A function that the kernel is told to call."""
    compared: list[object] = field(default_factory=list)
    """Constants that it is compared with."""
    index: bool = False
    """A pointer whose loaded values say where to load or store."""
    bound: bool = False
    """A pointer whose loaded values end a loop or a mask."""
    whole: bool = False
    """A pointer whose loaded values only whole numbers could be."""
    offsets: list[str] = field(default_factory=list)
    """Parameters that go into the offsets from this pointer."""

    @property
    def constexpr(self) -> bool:
        return "constexpr" in self.annotation

    @property
    def pointer(self) -> bool:
        return self.loaded or self.stored


@dataclass(frozen=True)
class Flow:
    """Where a value comes from: parameters, the pointer it is an address of, and pointers it was loaded through."""

    parameters: frozenset[str] = frozenset()
    base: str = ""
    loaded: frozenset[str] = frozenset()

    def joined(self, other: Flow) -> Flow:
        return Flow(self.parameters | other.parameters, self.base or other.base, self.loaded | other.loaded)


NOTHING = Flow()


@dataclass
class KernelText:
    """The kernel's parameters in order, and for each of its lines those that the values there come from."""

    name: str
    parameters: dict[str, Parameter]
    lines: dict[int, frozenset[str]]
    programs: int
    """Axes of the grid that the kernel and its helpers ask for."""

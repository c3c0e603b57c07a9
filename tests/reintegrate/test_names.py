"""What a piece of source needs and binds, on the forms that Python has for it."""

import pytest

from reintegrate.names import bound_names, imports_everything, needed_names


@pytest.mark.parametrize(
    ("source", "bound"),
    [
        ("import torch.nn as nn, triton.language", {"nn", "triton"}),
        ("from a import b as c", {"c"}),
        ("x: int = 1\ny = z = 2\n(p, *q) = r", {"x", "y", "z", "p", "q"}),
        ("try:\n    import a\nexcept ImportError:\n    a = None", {"a"}),
        ("if x:\n    def f(): pass\nelse:\n    class G: pass", {"f", "G"}),
        ("for i in range(3):\n    with open(i) as f:\n        pass", {"i", "f"}),
        ("def f():\n    import inner\n    local = 1", {"f"}),
    ],
)
def test_what_stands_at_module_level_is_bound(source: str, bound: set[str]) -> None:
    assert bound_names(source) == bound


@pytest.mark.parametrize(
    ("source", "needed"),
    [
        ("def f(x, y=default):\n    return g(x) + len(y)", {"default", "g"}),
        ("@triton.jit\ndef f(x: tl.constexpr): ...", {"triton", "tl"}),
        ("def f(xs):\n    return [x + w for x in xs]", {"w"}),
        ("def f():\n    import inner\n    return inner.x", set()),
        ("def f():\n    return g()\n\ndef g():\n    return __name__", set()),
        ("class C(Base):\n    x = y\n    def m(self):\n        return z", {"Base", "y", "z"}),
    ],
)
def test_what_is_read_and_not_bound_is_needed(source: str, needed: set[str]) -> None:
    assert needed_names(source) == needed


def test_an_import_of_everything_is_told() -> None:
    assert imports_everything("from a import b\ntry:\n    from c import *\nexcept ImportError:\n    pass")
    assert not imports_everything("from a import b")

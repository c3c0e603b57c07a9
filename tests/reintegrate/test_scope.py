"""An independent reading of a patch: a neighbour that changed, even by a blank, is found."""

import pytest

from kmaint.errors import InternalError
from reintegrate.scope import only_changes

BEFORE = """import os  # kept


LIMIT = 'a'


def kernel(x):
    return x


# about host
def host(x):
    return kernel( x )
"""


def test_a_change_of_the_named_symbol_passes() -> None:
    only_changes("a.py", BEFORE, BEFORE.replace("return x\n", "return x + 1\n"), {"kernel"})


def test_what_is_said_below_a_named_constant_belongs_to_it() -> None:
    after = BEFORE.replace("def kernel(x):", 'PARTS = 4\n"""Of a row."""\n\n\ndef kernel(x):')
    only_changes("a.py", BEFORE, after, {"kernel", "PARTS"})
    with pytest.raises(InternalError, match="PARTS = 4"):
        only_changes("a.py", BEFORE, after, {"kernel"})
    with pytest.raises(InternalError, match="a word"):
        only_changes("a.py", BEFORE, BEFORE.replace("# about host", '"""a word"""\n# about host'), {"host", "kernel"})


def test_nothing_changed_passes() -> None:
    only_changes("a.py", BEFORE, BEFORE, {"kernel"})


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("kernel( x )", "kernel(x)", "# about host"),
        ("'a'", '"a"', "LIMIT"),
        ("# about host\n", "", "def host"),
        ("# kept", "# lost", "import os"),
        ("LIMIT = 'a'\n", "", "a statement that is gone"),
    ],
)
def test_a_neighbour_that_changed_is_named(old: str, new: str, said: str) -> None:
    with pytest.raises(InternalError) as caught:
        only_changes("a.py", BEFORE, BEFORE.replace(old, new), {"kernel"})
    assert said in str(caught.value)
    assert str(caught.value).startswith("a.py: the patch also changes ")

from __future__ import annotations

import ast

from extract.names import Names, names_of

FUNCTION = """
@decorate(OPTION)
def host(x: Annotated, out: Shape = DEFAULT) -> Result:
    from package import lazy
    local = helper(x)
    if flag:
        dead(local)
    else:
        table.lookup.deeper(local)
    return [item for item in local if item > LIMIT], lazy
"""


def names(text: str, *, flag: bool | None) -> Names:
    return names_of(ast.parse(text).body[0], lambda test: flag if ast.unparse(test) == "flag" else None)


def test_names_are_told_apart_by_how_they_are_needed() -> None:
    found = names(FUNCTION, flag=False)
    assert found.runtime == {"decorate", "OPTION", "DEFAULT", "helper", "flag", "table", "LIMIT"}
    assert found.annotations == {"Annotated", "Shape", "Result"}
    assert "dead" in found.dead
    assert "table.lookup.deeper" in found.chains
    assert found.lazy == {"package.lazy"}
    assert found.certain == {("package.lazy", "lazy")}


def test_both_arms_count_where_the_test_is_not_known() -> None:
    assert {"dead", "table"} <= names(FUNCTION, flag=None).runtime


def test_an_import_on_one_arm_is_not_certain() -> None:
    found = names(
        "def host(x):\n    from a import b as z\n    if x:\n        from c import d\n    import e.f\n", flag=None
    )
    assert found.lazy == {"a.b", "c.d", "e.f"}
    assert found.certain == {("a.b", "z")}

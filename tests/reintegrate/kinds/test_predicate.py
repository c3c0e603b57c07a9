"""A guard's source: each axis by the argument that shows it, and nothing let through that no case gave."""

from dataclasses import replace
from pathlib import Path

from kmaint.folder import read_harness
from kmaint.records.workload import Argument, Axis, Json, Workload
from reintegrate.kinds.conditions import fixed_values
from reintegrate.kinds.guard import Guard, guard_of
from reintegrate.kinds.predicate import measured, predicate
from reintegrate.kinds.win import Declined, Win
from tests.reintegrate.wins import evaluation

CASE = Path(__file__).parents[1] / "cases" / "merge_state"


def win(*sizes: tuple[int, int, int]) -> Win:
    harness = read_harness(CASE)
    made = tuple(
        Workload(
            name=f"T{t}H{h}D{d}",
            axes={"T": t, "H": h, "D": d, "DT": "bfloat16"},
            weight=1.0,
            origin="model config",
            source="a test",
        )
        for t, h, d in sizes
    )
    harness = replace(harness, contract=replace(harness.contract, workloads=made))
    ratios = {one.name: 1.3 for one in made}
    return Win(harness=harness, evaluation=evaluation((CASE / "winner.py").read_text(), ratios))


def with_arguments(one: Win, *arguments: Argument, axes: tuple[Axis, ...] = ()) -> Win:
    contract = one.harness.contract
    workloads = tuple(replace(w, axes={**w.axes, **{a.name: a.choices[0] for a in axes}}) for w in contract.workloads)
    changed = replace(
        contract, arguments=(*contract.arguments, *arguments), axes=(*contract.axes, *axes), workloads=workloads
    )
    return replace(one, harness=replace(one.harness, contract=changed))


def value(name: str, given: Json, *, when: str = "True") -> Argument:
    return Argument(name=name, kind="value", value=given, when=when)


def conditions(one: Win) -> list[str]:
    guard = guard_of(one)
    assert isinstance(guard, Guard)
    found = predicate(one, guard, "_use_it", device_test="{tensor}.is_cuda")
    assert not isinstance(found, Declined)
    return [line.strip().removeprefix("and ") for line in found.source.partition("return (\n")[2].splitlines()[:-1]]


def test_the_source_reads_as_the_box_does() -> None:
    one = win((64, 32, 64), (768, 32, 128))
    guard = guard_of(one)
    assert isinstance(guard, Guard)
    found = predicate(one, guard, "_use_it", device_test="{tensor}.is_cuda")
    assert not isinstance(found, Declined)
    assert found.parameters == ("prefix_output", "output", "output_lse")
    assert found.source.partition('"""\n')[2] == (
        "    return (\n"
        "        64 <= prefix_output.shape[2] <= 128 and prefix_output.shape[2] % 16 == 0\n"
        "        and prefix_output.dtype == torch.bfloat16\n"
        "        and prefix_output.shape[1] == 32\n"
        "        and 64 <= prefix_output.shape[0] <= 768\n"
        "        and output is None\n"
        "        and output_lse is None\n"
        "        and prefix_output.is_cuda\n"
        "    )\n"
    )


def test_a_switch_is_tested_by_what_it_was_in_every_case() -> None:
    one = with_arguments(
        win((64, 32, 128)),
        value("causal", True),
        value("scales", None),
        value("window", {"tuple": [-1, -1]}),
        value("softcap", 0.0),
        value("eps", 1e-6),
        value("computed", {"tuple": ["=T"]}),
    )
    assert fixed_values(one.harness) == [
        ("causal", "True"),
        ("scales", "None"),
        ("window", "(-1, -1)"),
        ("softcap", "0.0"),
    ]
    assert {"causal", "scales is None", "window == (-1, -1)", "softcap == 0.0"} <= set(conditions(one))


def test_a_choice_is_tested_by_the_argument_that_follows_from_it() -> None:
    mode = Axis(name="MODE", choices=("plain", "interleaved"))
    context = Axis(name="CONTEXT", choices=("all", "half"))
    given = value("tokens", "=T//2", when="CONTEXT != 'all'")
    one = with_arguments(
        win((64, 32, 128)), value("interleaved", "=MODE == 'interleaved'"), given, axes=(mode, context)
    )
    assert {"not interleaved", "tokens is None"} <= set(conditions(one))


def reshaped(one: Win, *shape: str) -> Win:
    arguments = tuple(replace(argument, shape=shape) for argument in one.harness.contract.arguments)
    return replace(one, harness=replace(one.harness, contract=replace(one.harness.contract, arguments=arguments)))


def test_an_axis_that_only_an_optional_tensor_shows_is_read_once_that_is_there() -> None:
    given, size = Axis(name="ZERO", choices=(True, False)), Axis(name="E", choices=(8, 16))
    extra = Argument(name="extra", kind="tensor", shape=("E", "D"), dtype="DT", when="ZERO")
    found = conditions(with_arguments(win((64, 32, 128)), extra, axes=(given, size)))
    assert found.index("extra is not None") < found.index("extra.shape[0] == 8")


def test_an_axis_inside_a_product_is_tested_by_the_product() -> None:
    packed = reshaped(win((64, 8, 128), (64, 32, 128)), "T", "H*D")
    assert "1024 <= prefix_output.shape[1] <= 4096" in conditions(with_arguments(packed, value("head_size", "=D")))


def test_an_axis_beside_another_in_a_product_is_tested_by_the_quotient() -> None:
    """As the query heads of a group are the query heads over the key-value heads."""
    grouped = reshaped(win((64, 8, 128), (64, 32, 64)), "T", "H", "H*D")
    found = conditions(grouped)
    assert "8 <= prefix_output.shape[1] <= 32" in found
    each, whole = "prefix_output.shape[2] // prefix_output.shape[1]", "prefix_output.shape[1] > 0 and "
    whole += "prefix_output.shape[2] % prefix_output.shape[1] == 0"
    assert f"{whole} and 64 <= {each} <= 128 and {each} % 16 == 0" in found


def test_a_choice_is_tested_by_a_size_that_it_alone_changes() -> None:
    """As a rotary cache is as wide as a head, or half as wide."""
    rotated = Axis(name="ROTATED", choices=("all", "half"))
    one = reshaped(win((64, 8, 128), (64, 32, 128)), "T", "H", "D if ROTATED == 'all' else D//2")
    one = with_arguments(one, value("head_size", "=D"), axes=(rotated,))
    assert {"prefix_output.shape[2] == 128", "head_size == 128"} <= set(conditions(one))


def test_an_axis_that_no_argument_shows_cannot_be_guarded() -> None:
    one = reshaped(win((64, 32, 64), (65, 32, 128)), "T", "H", "D*T*H")
    guard = guard_of(one)
    assert isinstance(guard, Guard)
    assert predicate(one, guard, "_use_it", device_test="") == Declined(
        "D can be read off no argument of merge_state_triton, so no guard can test it"
    )


def test_the_words_about_it_tell_ratios_in_the_order_of_numbers() -> None:
    one = win((64, 32, 128), (128, 32, 128), (256, 32, 128))
    ratios = {"T64H32D128": 11.2, "T128H32D128": 2.75, "T256H32D128": 3.0}
    told = replace(one, evaluation=evaluation(one.source, ratios))
    guard = guard_of(told)
    assert isinstance(guard, Guard)
    assert "2.75x to 11.20x over 3 workloads." in measured(told, guard)
    alone = replace(guard, inside=("T256H32D128",))
    assert ": 3.00x over 1 workload." in measured(told, alone)

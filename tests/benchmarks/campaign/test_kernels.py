from pathlib import Path

import pytest

from benchmarks.campaign.kernels import FAMILIES, read_entries
from kmaint.errors import UsageError

KERNEL = '[[kernel]]\nid = "a/b.py::k"\nrelease = "vllm==0.26.0"\nfamily = "norm"\n'
HOT = 'hot_path = true\nwhy = "every step"\n'


def test_the_campaign_is_as_wide_as_it_says() -> None:
    entries = read_entries()
    assert len(entries) >= 16
    assert {entry.family for entry in entries} == set(FAMILIES)
    assert {entry.release for entry in entries} == {"sglang==0.5.17", "vllm==0.26.0"}
    assert {entry.language for entry in entries} == {"triton", "cuda"}
    assert sum(entry.hot_path and entry.language == "triton" for entry in entries) >= 6
    names = {entry.name for entry in entries}
    assert {"merge_state_kernel", "silu_and_mul_kernel", "fused_add_rms_norm_kernel"} <= names


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (KERNEL.replace("norm", "nrom") + HOT, "a/b.py::k: unknown family 'nrom'; known are norm, "),
        (KERNEL + HOT + 'shiped = "x"\n', "a/b.py::k: unknown key 'shiped'; see the comment at its top"),
        (KERNEL + HOT.replace("true", "false"), "a/b.py::k does not say what serving runs; give either"),
        (KERNEL + HOT + 'shipped = "x"\n', "a/b.py::k is on the hot path, so nothing else is shipped; give either"),
        (KERNEL + HOT + 'call = "x"\n', "a/b.py::k: call, package and shipped belong together; give all three"),
        ((KERNEL + HOT) * 2, "a/b.py::k stands in it twice; leave one of them out"),
        (KERNEL, "a/b.py::k: hot_path;   Field required"),
        (
            KERNEL + 'hot_path = false\nwhy = "x"\nshipped = "x"\nonly = "y"\n',
            "a/b.py::k: only says when serving runs it, and it does not; leave it out",
        ),
    ],
)
def test_an_entry_that_contradicts_itself_is_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "kernels.toml"
    path.write_text(text)
    with pytest.raises(UsageError) as error:
        read_entries(path)
    assert str(error.value).startswith(f"{path}: {said}")

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmaint.learning.scrubbing import cleaned, fault_of, known_secrets

TOKEN = "ghp_" + "a1B2" * 9
NOBODY: frozenset[str] = frozenset()


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("no such file: /home/ann/kernels/x/kernel.py, line 3", "no such file: kernel.py, line 3"),
        ("under ~/.cache/triton/ab12", "under ab12"),
        ("in /tmp/h/", "in PATH"),
        ('File "/opt/venv/lib/python3.11/site-packages/torch/x.py"', 'File "x.py"'),
        ("a/b and T/2 stay, as does sglang/kernels/ops/merge.py", None),
        ("https://example.org/a/b/c stays", None),
        ("x[0] is 1.0 / 2.0 // 3", None),
        (f"asked with {TOKEN} twice", "asked with SECRET twice"),
        ("Authorization: Bearer abcdefghijklmnop1234", "Authorization: SECRET"),
        ("git clone https://ann:hunter22@example.org/x", "git clone https://SECRET@example.org/x"),
        ("-----BEGIN RSA PRIVATE KEY-----", "SECRET"),
    ],
)
def test_prose_is_cut(said: str, left: str | None) -> None:
    assert cleaned(said, NOBODY) == (said if left is None else left)


@given(st.text(alphabet=st.characters(blacklist_characters="/~", blacklist_categories=["Cs"])))
def test_other_prose_is_left_alone(said: str) -> None:
    text = said.replace("Bearer", "").replace("-----", "")
    assert cleaned(text, NOBODY) == text


def test_a_known_secret_is_found_whatever_it_looks_like() -> None:
    secrets = known_secrets(
        {"HF_TOKEN": "correct horse", "MY_API_KEY": "short", "HOME": "/home/ann", "PATH": "/usr/bin"}
    )
    assert secrets == {"correct horse"}
    assert cleaned("the correct horse battery", secrets) == "the SECRET battery"
    assert fault_of("x = 'correct horse'", secrets, public="") == "holds what looks like a secret"


def test_a_source_may_name_what_the_original_names() -> None:
    original = '"""Built with /usr/local/cuda/bin/nvcc."""\n'
    assert fault_of(f"{original}x = 1\n", NOBODY, public=original) == ""
    assert fault_of(f"{original}# as in /home/ann/x\n", NOBODY, public=original) == "names a place in the file system"
    assert fault_of(f"# {TOKEN}\n", NOBODY, public=original) == "holds what looks like a secret"

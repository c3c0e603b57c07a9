"""Recomputation of a clamp on whole numbers: exact."""


def reference(seq_lens):
    """Arguments as the operator's; gives the truth of each leaf by its path."""
    return {"return": (seq_lens - 1).clamp(min=0)}

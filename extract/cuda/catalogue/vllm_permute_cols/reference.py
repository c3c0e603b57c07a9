"""The columns in another order: no arithmetic, so exact."""


def reference(A, perm):
    """Arguments as the operator's, floating ones in float64; gives the truth of each leaf by its path."""
    return {"return": A[:, perm.long()]}

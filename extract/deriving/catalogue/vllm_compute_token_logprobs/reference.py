"""Float64 recomputation of compute_token_logprobs: log probabilities of the tokens asked for."""

import torch


def reference(logits, token_ids):
    """Arguments as the launcher's, floating ones in float64; gives the truth of each leaf by its path."""
    return {"return": torch.log_softmax(logits, dim=-1).gather(-1, token_ids)}

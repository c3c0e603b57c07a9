"""Float64 recomputation of paged decode attention: one query token per sequence, all keys visible to it."""

import torch


def reference(q, k, v, out, seqused_k, softmax_scale, block_table, **_others):
    """Arguments as the launcher's, floating ones in float64; gives the truth of each leaf by its path."""
    sequences = range(q.shape[0])
    attended = [attend(q[i], k, v, block_table[i], int(seqused_k[i]), softmax_scale) for i in sequences]
    return {"argument out": torch.stack(attended)}


def attend(query, k, v, table, length, scale):
    """[heads, size] of one sequence; its keys and values lie in the blocks that the table names."""
    blocks = table[: -(-length // k.shape[1])].long()
    keys, values = (cache[blocks].flatten(0, 1)[:length] for cache in (k, v))  # [length, kv heads, size]
    grouped = query.unflatten(0, (k.shape[2], -1))
    weights = torch.softmax(scale * torch.einsum("hgd,lhd->hgl", grouped, keys), dim=-1)
    return torch.einsum("hgl,lhd->hgd", weights, values).flatten(0, 1)

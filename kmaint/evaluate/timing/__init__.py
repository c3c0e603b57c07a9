"""Time: what a worker measured, held against the clock outside it, to ratios with intervals."""

"""How often the gate's clock is wrong, by comparisons whose answer is known."""

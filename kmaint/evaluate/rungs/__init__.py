"""The rungs of the gate that are not about time: each from a candidate to a rejection, or to what it found."""

"""The catalogue of source transforms: each a page with its reason, its precondition, its example and its code."""

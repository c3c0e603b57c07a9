"""Planted defects: what the suite and a larger draw make of each, kept as it comes."""

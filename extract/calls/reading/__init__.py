"""Reads tests and benchmarks without running them: follows their source on tensors that have no contents.

A program of its own, run by extract.calls.tests in an interpreter that has torch (`python -m reading`): the standard
library and torch are all it imports, and no line of the framework is executed. Shapes and strides are torch's own,
on its meta device; small tensors are real, so that lengths and indices have values.
"""

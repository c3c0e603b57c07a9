"""Writes the tests of a harness: strategies and properties from its contract, as source that a person can read."""

from testgen.suite import write_suite

__all__ = ["write_suite"]

"""Writes the tests of a harness: strategies and properties from its contract, as source that a person can read."""

from testgen.suite import write_suite
from testgen.tried import try_original

__all__ = ["try_original", "write_suite"]

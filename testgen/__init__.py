"""Writes the tests of a harness: strategies and properties from its contract, as source that a person can read."""

from testgen.suite import write_suite
from testgen.tried import answers_kept, try_original

__all__ = ["answers_kept", "try_original", "write_suite"]

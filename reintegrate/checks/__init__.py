"""A patch held against the framework's own rules: its linters, its tests of the operator, and the test it brings."""

from reintegrate.checks.lint import Linter
from reintegrate.checks.own_tests import OwnTests

__all__ = ["Linter", "OwnTests"]

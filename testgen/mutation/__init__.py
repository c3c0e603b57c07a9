"""Plants small defects into a harness's kernel.py, to see which of them its suite notices."""

from testgen.mutation.catalogue import OPERATORS, mutants
from testgen.mutation.draw import drawn

__all__ = ["OPERATORS", "drawn", "mutants"]

"""What goes along with a change in the framework's own style and place: a test of it, and a benchmark."""

from reintegrate.companions.writing import with_companions

__all__ = ["with_companions"]

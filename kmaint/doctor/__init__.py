"""What this machine can do, what is missing, and how to get it."""

from kmaint.doctor.examination import examine

__all__ = ["examine"]

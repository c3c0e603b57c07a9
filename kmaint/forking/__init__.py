"""Runs measured code in forks of an interpreter that has torch and triton imported."""

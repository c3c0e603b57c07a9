"""Runs measured code in forks of interpreters that know torch and triton, which are forked of one that knows torch."""

"""The calls of launchers as they were seen: read from a framework's tests and benchmarks, and turned into contracts."""

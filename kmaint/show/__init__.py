"""Records to what a command prints: a table for people or one JSON object for scripts, and its exit code."""

"""Makes harnesses and tries each out in a fork of a warm interpreter, one kernel or a whole tree."""

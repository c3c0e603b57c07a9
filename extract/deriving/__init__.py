"""Finds out how a kernel is called: from a catalogue, from calls that were seen, or by running it on guesses."""

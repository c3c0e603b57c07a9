"""How a launcher is called: read its text, guess, run, correct, verify."""

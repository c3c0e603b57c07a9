"""Programs that run in the interpreter of an engine; they need nothing of kmaint."""

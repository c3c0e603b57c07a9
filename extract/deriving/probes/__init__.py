"""What runs in a fork of a warm interpreter of the target, and says what was touched; nothing of kmaint is there."""

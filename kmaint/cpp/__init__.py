"""C++ read without a compiler: text with its noise blanked, and what the heads in it declare."""

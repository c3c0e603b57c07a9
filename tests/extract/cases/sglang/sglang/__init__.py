# Reduced from sglang 0.5.17 (Apache-2.0): a tree for the tests of extract.

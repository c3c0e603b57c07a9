"""The nouns that the rooms share; they import nothing of ours.

tree -> Kernel -> Harness + Workloads -> Suite -> Candidates -> Verdicts -> Patch -> Run
"""

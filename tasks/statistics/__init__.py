"""How sure a score is and whether two differ: intervals, permutations, corrections, correlation."""

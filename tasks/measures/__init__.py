"""Numbers of a ranking, of a space, and probes: pure functions of arrays."""

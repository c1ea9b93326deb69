"""Several encoders of one architecture in, one out: the arithmetic on their weights, and the folder it makes."""

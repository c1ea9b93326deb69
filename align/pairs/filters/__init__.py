"""Which rows are worth a pair, how many of each language are taken, and what test sets keep out."""

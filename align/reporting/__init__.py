"""A report of results to look at: one HTML file, and its figures as pictures."""

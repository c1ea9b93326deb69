"""Files and folders on disk: read strictly, written whole or not at all, by one writer at a time.

In: paths. Out: lines, JSON, folders that appear at once. Every room may import it.
"""

"""What this machine has for Align: packages in, fast paths and sizes out, and whether two processes are as good as one.

``doctor`` asks the others: ``installed``, ``fast_paths``, ``caches``, ``two_processes``.
"""

"""``python -m align.cli``."""

from align.cli import main

main()

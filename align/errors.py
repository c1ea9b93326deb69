"""The one exception for bad input."""


class InputError(ValueError):
    """Bad input from the user: one sentence with what was expected, what came, and where.

    The command line prints it without a traceback and exits with code 2.
    """

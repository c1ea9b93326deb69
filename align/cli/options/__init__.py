"""What verbs share: arguments, the options that choose an encoder, help pages, examples.

In: the words of a command line. Out: the values that a verb's function takes, and what ``--help`` prints.
"""

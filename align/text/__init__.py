"""What a string is: its language and script, its Latin form, when two texts are the same, how far one is from another.

In: strings and language codes. Out: strings, numbers. Knows nothing of vectors, models or files of the project.
"""

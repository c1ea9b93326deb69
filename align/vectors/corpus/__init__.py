"""Corpora of any size to folders of vectors.

encoding     ``align encode``: what is begun, gone on with and finished
rows, files  the lines of a corpus, and what of a line is text, id and language
survey       a first look: rows counted, ids that come again (repeats) found, in bounded memory; the chunks after it
parts        a chunk to a part: the unit of work
hand_out     chunks given to workers: processes (workers), or actors of Ray (ray_engine)
"""

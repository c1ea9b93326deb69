"""A report of results to look at: one HTML file, and its figures as pictures.

A section is a module that reads results and a template of its name that draws them.
"""

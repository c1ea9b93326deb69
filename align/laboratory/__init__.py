"""A laboratory of cloned languages: an encoder and any text go in, perfect parallel languages come out.

On these every objective can be tried without data: does it align, in how many steps, what does it do to the original.
"""

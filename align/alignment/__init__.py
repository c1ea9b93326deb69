"""Words of translations: which word is linked with which, and what is said of words carried over to the other side.

In: an encoder, sentences of two languages as words. Out: links, lines of Pharaoh's, labelled spans.
"""

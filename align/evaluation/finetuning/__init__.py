"""An encoder that learns labels of words or of texts, for tasks that ask how well it does.

In: an encoder, examples with labels. Out: what a copy of it, tuned with a linear layer, says of other inputs.
"""

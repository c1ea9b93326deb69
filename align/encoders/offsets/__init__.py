"""Language offsets as a folder: estimated on text with an encoder, and taken off its vectors; nothing is trained."""

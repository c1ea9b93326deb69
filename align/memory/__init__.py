"""Translation memory: the segments most like a text, with their translations and the terms in it."""

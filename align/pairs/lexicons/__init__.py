"""Word lists of every kind to words of a concept: a format a file, joined through concepts or a pivot."""

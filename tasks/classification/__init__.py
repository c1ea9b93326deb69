"""Classification on frozen vectors: what is learned in one language, does it hold in others?"""

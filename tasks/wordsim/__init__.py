"""Word similarity: does the cosine of two words follow what people say of their likeness?"""

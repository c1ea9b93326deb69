"""A saved model on the Hugging Face Hub: its card made complete, its files sent in one commit.

In: a folder of Align, result files. Out: a repository.
"""

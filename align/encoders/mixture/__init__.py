"""A mixture of low-rank adapters: which of them read a text is decided by the text, so that no merging can hold it."""

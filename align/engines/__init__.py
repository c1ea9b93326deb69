"""Vectors into the engines that people run: Milvus, Qdrant, pgvector, LanceDB, and files that others load."""

"""Vectors into the engines that people run: Milvus, Qdrant, pgvector, LanceDB, and files that others load."""

from align.engines.send import export
from align.engines.verify import verify_export

__all__ = ["export", "verify_export"]

"""Vectors into the engines that people run: Milvus, Qdrant, pgvector, LanceDB, and files that others load."""

from align.export.engines import ENGINES
from align.export.send import export
from align.export.verify import verify_export

__all__ = ["ENGINES", "export", "verify_export"]

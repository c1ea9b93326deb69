"""Align: contrastive representation alignment for multilingual encoders.

Public names are imported on first use, so that ``import align`` costs no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from align.augmentation import augment as augment
    from align.backends import load_backend as load_backend
    from align.checkpoint import load_encoder as load_encoder
    from align.checkpoint import save_encoder as save_encoder
    from align.config import load_recipe as load_recipe
    from align.corpus.encoding import encode as encode
    from align.encoder import Encoder as Encoder
    from align.errors import InputError as InputError
    from align.evaluation import evaluate as evaluate
    from align.export import verify_export as verify_export
    from align.index import load_index as load_index
    from align.mining.mining import mine as mine
    from align.overlap import check_overlap as check_overlap
    from align.pairs import nli_pairs as nli_pairs
    from align.pairs import sts_pairs as sts_pairs
    from align.pairs import synonym_pairs as synonym_pairs
    from align.pairs import translation_pairs as translation_pairs
    from align.pairs import transliteration_pairs as transliteration_pairs
    from align.pooling import Pooling as Pooling
    from align.search_text import search as search
    from align.trainer import train as train
    from align.translation_memory import tm as tm
    from align.vector_parts import save_vectors as save_vectors
    from align.vectors import open_vectors as open_vectors

_HOMES = {
    "Encoder": "align.encoder",
    "InputError": "align.errors",
    "Pooling": "align.pooling",
    "augment": "align.augmentation",
    "check_overlap": "align.overlap",
    "encode": "align.corpus.encoding",
    "evaluate": "align.evaluation",
    "load_backend": "align.backends",
    "load_encoder": "align.checkpoint",
    "load_index": "align.index",
    "load_recipe": "align.config",
    "mine": "align.mining.mining",
    "nli_pairs": "align.pairs",
    "open_vectors": "align.vectors",
    "save_encoder": "align.checkpoint",
    "save_vectors": "align.vector_parts",
    "search": "align.search_text",
    "sts_pairs": "align.pairs",
    "synonym_pairs": "align.pairs",
    "tm": "align.translation_memory",
    "train": "align.trainer",
    "translation_pairs": "align.pairs",
    "transliteration_pairs": "align.pairs",
    "verify_export": "align.export",
}

__all__ = [*sorted(_HOMES), "__version__"]


def __getattr__(name: str) -> Any:
    """Import a public name from its module (PEP 562)."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'align' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__

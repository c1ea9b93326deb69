"""Align: contrastive representation alignment for multilingual encoders.

Public names are imported on first use, so that ``import align`` costs no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from align.encoders.backends import load_backend as load_backend
    from align.encoders.checkpoint import load_encoder as load_encoder
    from align.encoders.checkpoint import save_encoder as save_encoder
    from align.encoders.encoder import Encoder as Encoder
    from align.encoders.pooling import Pooling as Pooling
    from align.engines import verify_export as verify_export
    from align.errors import InputError as InputError
    from align.evaluation.evaluate import evaluate as evaluate
    from align.indexes.augmentation import augment as augment
    from align.indexes.build import load_index as load_index
    from align.indexes.search import search as search
    from align.memory.translation_memory import tm as tm
    from align.mining.mining import mine as mine
    from align.pairs import nli_pairs as nli_pairs
    from align.pairs import sts_pairs as sts_pairs
    from align.pairs import synonym_pairs as synonym_pairs
    from align.pairs import translation_pairs as translation_pairs
    from align.pairs import transliteration_pairs as transliteration_pairs
    from align.pairs.overlap import check_overlap as check_overlap
    from align.training.config import load_recipe as load_recipe
    from align.training.train import train as train
    from align.vectors.corpus.encoding import encode as encode
    from align.vectors.folder import open_vectors as open_vectors
    from align.vectors.writing import save_vectors as save_vectors

_HOMES = {
    "Encoder": "align.encoders.encoder",
    "InputError": "align.errors",
    "Pooling": "align.encoders.pooling",
    "augment": "align.indexes.augmentation",
    "check_overlap": "align.pairs.overlap",
    "encode": "align.vectors.corpus.encoding",
    "evaluate": "align.evaluation.evaluate",
    "load_backend": "align.encoders.backends",
    "load_encoder": "align.encoders.checkpoint",
    "load_index": "align.indexes.build",
    "load_recipe": "align.training.config",
    "mine": "align.mining.mining",
    "nli_pairs": "align.pairs",
    "open_vectors": "align.vectors.folder",
    "save_encoder": "align.encoders.checkpoint",
    "save_vectors": "align.vectors.writing",
    "search": "align.indexes.search",
    "sts_pairs": "align.pairs",
    "synonym_pairs": "align.pairs",
    "tm": "align.memory.translation_memory",
    "train": "align.training.train",
    "translation_pairs": "align.pairs",
    "transliteration_pairs": "align.pairs",
    "verify_export": "align.engines",
}

__all__ = [*sorted(_HOMES), "__version__"]


def __getattr__(name: str) -> Any:
    """Import a public name from its module (PEP 562)."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'align' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__

"""Align: contrastive representation alignment for multilingual encoders.

Public names are imported on first use, so that ``import align`` costs no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from align.backends import load_backend as load_backend
    from align.checkpoint import load_encoder as load_encoder
    from align.checkpoint import save_encoder as save_encoder
    from align.config import load_recipe as load_recipe
    from align.encoder import Encoder as Encoder
    from align.errors import InputError as InputError
    from align.evaluation import evaluate as evaluate
    from align.overlap import check_overlap as check_overlap
    from align.pairs import nli_pairs as nli_pairs
    from align.pairs import sts_pairs as sts_pairs
    from align.pairs import synonym_pairs as synonym_pairs
    from align.pairs import translation_pairs as translation_pairs
    from align.pairs import transliteration_pairs as transliteration_pairs
    from align.pooling import Pooling as Pooling
    from align.trainer import train as train

_HOMES = {
    "Encoder": "align.encoder",
    "InputError": "align.errors",
    "Pooling": "align.pooling",
    "check_overlap": "align.overlap",
    "evaluate": "align.evaluation",
    "load_backend": "align.backends",
    "load_encoder": "align.checkpoint",
    "load_recipe": "align.config",
    "nli_pairs": "align.pairs",
    "save_encoder": "align.checkpoint",
    "sts_pairs": "align.pairs",
    "synonym_pairs": "align.pairs",
    "train": "align.trainer",
    "translation_pairs": "align.pairs",
    "transliteration_pairs": "align.pairs",
}

__all__ = [*sorted(_HOMES), "__version__"]


def __getattr__(name: str) -> Any:
    """Import a public name from its module (PEP 562)."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'align' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__

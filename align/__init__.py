"""Align: contrastive representation alignment for multilingual encoders.

Public names are imported on first use, so that ``import align`` costs no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from align.alignment.aligner import word_alignments as word_alignments
    from align.alignment.fragment_pairs import fragment_pairs as fragment_pairs
    from align.alignment.project import project as project
    from align.encoders.backends import load_backend as load_backend
    from align.encoders.checkpoint import load_encoder as load_encoder
    from align.encoders.encoder import Encoder as Encoder
    from align.encoders.extending import extend as extend
    from align.encoders.merging.merge import merge as merge
    from align.encoders.offsets.estimate import offsets as offsets
    from align.encoders.pooling import Pooling as Pooling
    from align.encoders.readability import scripts as scripts
    from align.encoders.routed import route as route
    from align.encoders.saving import save_encoder as save_encoder
    from align.encoders.trimming import trim as trim
    from align.engines.send import export as export
    from align.engines.verify import verify_export as verify_export
    from align.errors import InputError as InputError
    from align.evaluation.certificate import certify as certify
    from align.evaluation.compare import compare as compare
    from align.evaluation.evaluate import evaluate as evaluate
    from align.evaluation.listing import list_benchmarks as list_benchmarks
    from align.evaluation.overlap import check_overlap as check_overlap
    from align.health.caches import cache as cache
    from align.health.doctor import doctor as doctor
    from align.indexes.augment import augment as augment
    from align.indexes.build import index as index
    from align.indexes.index import load_index as load_index
    from align.indexes.queries import augment_queries as augment_queries
    from align.indexes.search import search as search
    from align.laboratory.course import lab as lab
    from align.mapping.methods import map as map
    from align.mapping.upgrade import upgrade_index as upgrade_index
    from align.mapping.word_head import word_head as word_head
    from align.memory.translation_memory import tm as tm
    from align.mining.mining import mine as mine
    from align.mining.negatives import negative_pairs as negative_pairs
    from align.pairs.classes import class_pairs as class_pairs
    from align.pairs.conditional import conditional_pairs as conditional_pairs
    from align.pairs.entities import entity_pairs as entity_pairs
    from align.pairs.knowledge import knowledge_pairs as knowledge_pairs
    from align.pairs.nli import nli_pairs as nli_pairs
    from align.pairs.reading.table import read_pairs as read_pairs
    from align.pairs.sts import sts_pairs as sts_pairs
    from align.pairs.switched import switched_pairs as switched_pairs
    from align.pairs.synonyms import synonym_pairs as synonym_pairs
    from align.pairs.translation import translation_pairs as translation_pairs
    from align.pairs.transliteration import transliteration_pairs as transliteration_pairs
    from align.publishing.push import push as push
    from align.reporting.report import report as report
    from align.reranking.hits import rerank as rerank
    from align.reranking.learning import fusion_head as fusion_head
    from align.reranking.scorer import load_scorer as load_scorer
    from align.serving.serve import serve as serve
    from align.text.romanize.romanizer import romanize as romanize
    from align.training.config import load_recipe as load_recipe
    from align.training.train import train as train
    from align.transfer.advise import advise as advise
    from align.vectors.corpus.encoding import encode as encode
    from align.vectors.folder import open_vectors as open_vectors
    from align.vectors.writing import save_vectors as save_vectors

_HOMES = {
    "Encoder": "align.encoders.encoder",
    "InputError": "align.errors",
    "Pooling": "align.encoders.pooling",
    "advise": "align.transfer.advise",
    "augment": "align.indexes.augment",
    "augment_queries": "align.indexes.queries",
    "certify": "align.evaluation.certificate",
    "check_overlap": "align.evaluation.overlap",
    "class_pairs": "align.pairs.classes",
    "compare": "align.evaluation.compare",
    "conditional_pairs": "align.pairs.conditional",
    "cache": "align.health.caches",
    "doctor": "align.health.doctor",
    "encode": "align.vectors.corpus.encoding",
    "entity_pairs": "align.pairs.entities",
    "evaluate": "align.evaluation.evaluate",
    "extend": "align.encoders.extending",
    "export": "align.engines.send",
    "fusion_head": "align.reranking.learning",
    "fragment_pairs": "align.alignment.fragment_pairs",
    "index": "align.indexes.build",
    "knowledge_pairs": "align.pairs.knowledge",
    "lab": "align.laboratory.course",
    "list_benchmarks": "align.evaluation.listing",
    "load_backend": "align.encoders.backends",
    "load_encoder": "align.encoders.checkpoint",
    "load_index": "align.indexes.index",
    "load_recipe": "align.training.config",
    "load_scorer": "align.reranking.scorer",
    "map": "align.mapping.methods",
    "merge": "align.encoders.merging.merge",
    "mine": "align.mining.mining",
    "negative_pairs": "align.mining.negatives",
    "nli_pairs": "align.pairs.nli",
    "offsets": "align.encoders.offsets.estimate",
    "open_vectors": "align.vectors.folder",
    "project": "align.alignment.project",
    "push": "align.publishing.push",
    "read_pairs": "align.pairs.reading.table",
    "report": "align.reporting.report",
    "rerank": "align.reranking.hits",
    "route": "align.encoders.routed",
    "romanize": "align.text.romanize.romanizer",
    "save_encoder": "align.encoders.saving",
    "scripts": "align.encoders.readability",
    "save_vectors": "align.vectors.writing",
    "search": "align.indexes.search",
    "serve": "align.serving.serve",
    "sts_pairs": "align.pairs.sts",
    "switched_pairs": "align.pairs.switched",
    "synonym_pairs": "align.pairs.synonyms",
    "tm": "align.memory.translation_memory",
    "train": "align.training.train",
    "translation_pairs": "align.pairs.translation",
    "transliteration_pairs": "align.pairs.transliteration",
    "trim": "align.encoders.trimming",
    "upgrade_index": "align.mapping.upgrade",
    "verify_export": "align.engines.verify",
    "word_alignments": "align.alignment.aligner",
    "word_head": "align.mapping.word_head",
}

__all__ = [*sorted(_HOMES), "__version__"]


def __getattr__(name: str) -> Any:
    """Import a public name from its module (PEP 562)."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'align' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__

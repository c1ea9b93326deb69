"""Pairs of texts with fragments of their translations in them: the words are linked by an encoder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from align.alignment.fragments import FragmentSwitching, switch_fragments
from align.errors import InputError
from align.pairs.builder import Builder, ModelOptions, shown
from align.pairs.reading.table import read_pairs
from align.pairs.switching.sentence import cut
from align.pairs.table import pair_writer
from align.pairs.tagging.tokens import Tokens
from align.streams import stream

if TYPE_CHECKING:
    from align.encoders.encoder import Encoder
    from align.similarity.links import Linking


def fragment_pairs(
    tables: Path | str | Sequence[Path | str],
    model: Encoder | Path | str,
    out: Path | str,
    *,
    how: FragmentSwitching | None = None,
    linking: Linking | None = None,
    tokens: Tokens = "words",
    seed: int = 0,
    **load: Any,
) -> dict[str, Any]:
    """Write a table of pairs of mixed texts, switched by fragments, to the folder ``out`` and return its manifest.

    The words of each translation pair are linked (:func:`align.word_alignments`), and each side gets fragments of the
    other. The mixed text is a source, whose targets are the text as it was and its translation, all of one
    ``group_id``. What has no fragment is set aside.

    Args:
        tables: translation pairs, as :func:`align.read_pairs` reads them.
        model: an encoder, or what :func:`align.load_encoder` takes.
        out: folder of the table; an older table there is replaced.
        how: how much of a sentence is switched.
        linking: how words are linked; ``None``: by argmax, which links few words and most of them rightly.
        tokens: how texts are cut, see :func:`align.pairs.tagging.tokens.split_tokens`; a side without spaces between
            words needs ``spaces``.
        seed: of what is drawn.
        load: further options of :func:`align.load_encoder`.

    Raises:
        InputError: as the functions that read, load and encode; nothing was switched. Nothing is written.
    """
    from align.encoders.checkpoint import given_encoder
    from align.similarity.links import Linking

    tables = [tables] if isinstance(tables, (str, Path)) else list(tables)
    how, linking = how or FragmentSwitching(), linking or Linking("argmax")
    if not tables:
        raise InputError("no text is given: expected tables of translation pairs")
    rows = read_pairs(*tables)
    encoder = given_encoder(model, load)
    counts: Counter[str] = Counter()
    with pair_writer(out) as writer:
        for number, (row, sides, links) in enumerate(_linked(rows, encoder, linking, tokens)):
            languages = row["source_lang"], row["target_lang"]
            for side in (0, 1):
                own, other = sides[side], sides[1 - side]
                rng = stream(seed, "fragments", number, side)
                of = [(one[side], one[1 - side]) for one in links]
                text, changes = switch_fragments(own, other, of, rng, how)
                counts["texts"] += 1
                if not changes:
                    writer.reject("no fragment", str(tables[0]), number + 1, own.replaced({}))
                    continue
                counts["words"] += len(own.words)
                counts["switched"] += sum(stop - start for start, stop in changes)
                about = {"source": text, "source_lang": languages[side], "kind": "switched by fragments"}
                about["group_id"] = row["group_id"]
                writer.add(about | {"target": own.replaced({}), "target_lang": languages[side]})
                writer.add(about | {"target": other.replaced({}), "target_lang": languages[1 - side]})
        writer.manifest |= {
            "kind": "switched by fragments", **counts, "encoder": encoder.identity() | {"name": encoder.name},
            "tables": [str(table) for table in tables],
            "options": asdict(how) | {"linking": asdict(linking), "tokens": tokens, "seed": seed},
        }  # fmt: skip
    return writer.manifest


def _linked(rows: Any, encoder: Encoder, linking: Linking, tokens: Tokens) -> Iterator[tuple[Any, Any, Any]]:
    """Each row, its two sentences, and the links of their tokens."""
    from align.alignment.aligner import CHUNK, word_alignments

    every = iter(rows)
    while chunk := list(islice(every, CHUNK)):
        cuts = [tuple(cut(row[side], row[f"{side}_lang"], tokens) for side in ("source", "target")) for row in chunk]
        found = word_alignments(encoder, [(one.tokens, other.tokens) for one, other in cuts], linking)
        for row, sides, made in zip(chunk, cuts, found, strict=True):
            yield row, sides, made.links


@dataclass(frozen=True)
class Options:
    """Pairs of a text with fragments of its translation in it, and the text as it was, or its translation."""

    tables: Annotated[list[Path] | None, "Tables of translations: folders, or .tsv, .jsonl, .parquet.", "TABLE"] = None
    how: FragmentSwitching = field(default_factory=FragmentSwitching)
    tokens: Annotated[Tokens, "Words are cut out, or given with spaces between them."] = "words"
    seed: Annotated[int, "Of what is drawn."] = 0
    encoder: ModelOptions = field(default_factory=ModelOptions)


def _build(given: Options, out: Path) -> Mapping[str, Any]:
    manifest = fragment_pairs(
        given.tables or [], given.encoder.model, out, how=given.how, tokens=given.tokens, seed=given.seed,
        **given.encoder.options(),
    )  # fmt: skip
    return shown(manifest, "texts", "words", "switched", "rejects")


BUILDER = Builder("fragments", Options, _build)

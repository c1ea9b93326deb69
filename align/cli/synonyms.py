"""``align pairs synonyms``: word pairs from dictionaries and other lexicons."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from align.cli.arguments import Licence, Out, show
from align.errors import InputError

if TYPE_CHECKING:
    from align.pairs.lexicons.kinds import Format, Lexicon

Choice = Literal["drop", "keep"]
Span = Literal["within", "across", "both"]
Level = Literal["word", "pair"]
Files = list[str] | None
COUNTS = ("lines", "words", "concepts", "pairs", "left_out", "identical_pairs", "rejects", "excluded", "pivot")
SHOWN = 20


def synonyms(
    dictionaries: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[CODE-CODE=]PATH",
            help="Dictionaries, source TAB target (or a space): eng_Latn-deu_Latn=FILE, or files named so, or folders.",
        ),
    ] = None,
    out: Out = Path("pairs"),
    panlex: Annotated[
        Files, typer.Option(help="PanLex meanings: .tsv, .jsonl, .parquet, or cointegrated/panlex-meanings (CC0).")
    ] = None,
    wordnet: Annotated[
        Files, typer.Option(help="Wordnet in WN-LMF, or an installed lexicon, omw-fr:1.4; again for more.")
    ] = None,
    freedict: Annotated[Files, typer.Option(help="CODE-CODE=FILE.index of a FreeDict dictionary.")] = None,
    kaikki: Annotated[Files, typer.Option(help="Wiktionary extract of kaikki.org, JSON Lines.")] = None,
    entities: Annotated[Files, typer.Option(help="Names: a .tsv of a key and locales, or .jsonl of lists.")] = None,
    languages: Annotated[str | None, typer.Option(help="Words of these only: eng_Latn,deu_Latn,hin_Deva.")] = None,
    span: Annotated[Span, typer.Option(help="Of concepts: pairs within a language, across languages, both.")] = "both",
    per_concept: Annotated[int, typer.Option(min=0, help="Of concepts: at most so many pairs; 0: all.")] = 10,
    glosses: Annotated[bool, typer.Option("--glosses", help="Also pair words with their glosses.")] = False,
    self_pairs: Annotated[bool, typer.Option("--self", help="Also pair every word with itself.")] = False,
    pivot: Annotated[str | None, typer.Option(help="Also join dictionaries through this language: eng_Latn.")] = None,
    min_routes: Annotated[int, typer.Option(help="Joined pairs need so many pivot words.")] = 1,
    direct: Annotated[Files, typer.Option(help="CODE-CODE=FILE to measure joined pairs against.")] = None,
    exclude: Annotated[
        Files, typer.Option(help="Evaluation dictionary: file, folder or 'pattern/*'; again for more.")
    ] = None,
    exclude_level: Annotated[
        Level, typer.Option(help="No pair holds its words (word), or is one of it (pair).")
    ] = "word",
    rows: Annotated[int | None, typer.Option(help="Take so many pairs in all.")] = None,
    temperature: Annotated[float, typer.Option(help="Of --rows, over language pairs: 1 natural, 0 uniform.")] = 0.5,
    cap: Annotated[int | None, typer.Option(help="At most so many pairs of two languages.")] = None,
    min_letters: Annotated[int, typer.Option(help="Shortest word kept; a Han character counts 3.")] = 2,
    max_chars: Annotated[int, typer.Option(help="Longest word kept.")] = 50,
    max_words: Annotated[int, typer.Option(help="Longest entry kept, in words.")] = 4,
    min_script_share: Annotated[float, typer.Option(help="Share of letters in the script of the language.")] = 0.5,
    digits: Annotated[Choice, typer.Option(help="drop or keep words with a digit.")] = "drop",
    identical: Annotated[Choice, typer.Option(help="drop or keep pairs whose words are equal.")] = "drop",
    lower: Annotated[bool, typer.Option("--lower", help="Write words in lower case, as BLI has them.")] = False,
    seed: Annotated[int, typer.Option(help="Seed of all draws.")] = 0,
    licence: Licence = "unknown",
) -> None:
    """Synonym pairs, across languages and within, from free word lists."""
    from align import synonym_pairs
    from align.pairs import PairShare, Pivot, WordFilters

    sources = _dictionaries(dictionaries, "dictionary") + _dictionaries(freedict, "freedict")
    sources += _lexicons(panlex, "panlex") + _lexicons(wordnet, "wordnet")
    sources += _lexicons(kaikki, "kaikki") + _lexicons(entities, "entities")
    if pivot is None and (direct or min_routes != 1):
        raise InputError("--direct and --min-routes are about joined pairs: give --pivot, such as eng_Latn")
    manifest = synonym_pairs(
        sources, out, languages=[code.strip() for code in languages.split(",")] if languages else (),
        span=span, per_concept=per_concept or None, share=PairShare(rows, temperature, cap, seed),
        filters=WordFilters(
            min_letters, max_chars, max_words, min_script_share, digits, identical, case="lower" if lower else "keep"
        ),
        exclude=exclude or (), exclude_level=exclude_level, glosses=glosses, self_pairs=self_pairs,
        pivot=Pivot(pivot, min_routes, tuple(_dictionaries(direct, "dictionary"))) if pivot else None, licence=licence,
    )  # fmt: skip
    about = {key: _nonzero(manifest[key]) for key in ("rows", *COUNTS) if _nonzero(manifest[key])}
    show(about | {"language_pairs": _largest(manifest["language_pairs"]), "out": str(out)})


def _dictionaries(given: list[str] | None, format: Format) -> list[Any]:
    """Lexicons of ``CODE-CODE=PATH``; a path alone stays as it is, for it may be a folder."""
    from align.pairs import Lexicon
    from align.pairs.reading.row_sources import languages_of

    found: list[Any] = []
    for text in given or []:
        label, equals, path = text.partition("=")
        if equals and "/" not in label and not Path(text).exists():
            found.append(Lexicon(Path(path), format, languages_of(label)))
        else:
            found.append(Lexicon(Path(text), format) if format != "dictionary" else text)
    return found


def _lexicons(given: list[str] | None, format: Format) -> list[Lexicon]:
    from align.pairs import Lexicon

    return [Lexicon(text, format) for text in given or []]


def _nonzero(count: Any) -> Any:
    return {key: value for key, value in count.items() if value} if isinstance(count, dict) else count


def _largest(pairs: dict[str, int]) -> dict[str, int]:
    """The language pairs with most rows, and the rest as one."""
    ranked = sorted(pairs.items(), key=lambda item: -item[1])
    rest = ranked[SHOWN:]
    return dict(ranked[:SHOWN]) | ({f"{len(rest)} more": sum(rows for _, rows in rest)} if rest else {})

"""``align eval bli``: translations of single words."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from align.cli.arguments import AsJson, ResultFile, Template, tell
from align.cli.encoder_choice import EncoderChoice, takes_encoder
from align.errors import InputError

if TYPE_CHECKING:
    from align.tasks import BliProtocol, Dictionary
    from align.tasks.embedding import Encode
    from align.vectors.static import StaticVectors

logger = logging.getLogger(__name__)


@takes_encoder()
def bli(
    context: typer.Context,
    choice: EncoderChoice,
    model: Annotated[
        str | None, typer.Argument(help="seed, a folder, or a name on the Hub; none with --static alone.")
    ] = None,
    data: Annotated[
        list[str] | None,
        typer.Option(help="Dictionary named by its languages, folder of such, or CODE-CODE=PATH; again for more."),
    ] = None,
    vocabulary: Annotated[
        list[str] | None,
        typer.Option(help="Folder of word lists named by language, such a file, or CODE=PATH; again for more."),
    ] = None,
    static: Annotated[
        list[str] | None, typer.Option(help="Static vectors, named likewise: instead of a model, or mixed with it.")
    ] = None,
    mix: Annotated[
        float | None, typer.Option(help="Weight of --static beside a model, 0 to 1.  [default: 0.8]")
    ] = None,
    languages: Annotated[str | None, typer.Option(help="Codes, with commas: only dictionaries of these.")] = None,
    protocol: Annotated[str, typer.Option(help="muse, vecmap, fasttext, xling or babelbert.")] = "muse",
    candidates: Annotated[
        int | None, typer.Option(min=1, help="Words of each vocabulary; by default what the protocol says.")
    ] = None,
    script_filter: Annotated[
        bool, typer.Option("--script-filter", help="Without candidates in another script than the language's.")
    ] = False,
    drop_identical: Annotated[
        bool, typer.Option("--drop-identical", help="Without lines whose two words are the same.")
    ] = False,
    any_source: Annotated[
        bool, typer.Option("--any-source", help="Also source words that their vocabulary lacks.")
    ] = False,
    both: Annotated[bool, typer.Option("--both", help="Each dictionary in both directions.")] = False,
    csls: Annotated[bool, typer.Option("--csls/--no-csls", help="CSLS beside nearest neighbours.")] = True,
    translations: Annotated[
        Path | None, typer.Option(help="TSV to write: the best candidates of each word, with score and gold.")
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="Candidates of each word in --translations.")] = 10,
    resamples: Annotated[int, typer.Option(min=0, help="0: no interval.")] = 1000,
    seed: Annotated[int, typer.Option(help="Kept in the result; the interval draws nothing.")] = 0,
    out: ResultFile = None,
    as_json: AsJson = False,
    per_item: Annotated[bool, typer.Option(help="Keep the rank of every word in the JSON.")] = False,
    cache: Annotated[
        Path | None, typer.Option(help="Folder that keeps vectors of vocabularies; by default in the user's cache.")
    ] = None,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Keep no vectors of vocabularies.")] = False,
    template: Template = None,
) -> None:
    """Bilingual lexicon induction: the translation of a word among all words of the other language, NN and CSLS."""
    from align.evaluation.vocabulary_cache import cached
    from align.files.whole import whole_file
    from align.tasks import bli_pairs, find_bli_protocol, mixed
    from align.vectors.static import static_encode

    if model is None and not static:
        raise InputError("nothing to measure: expected a model, --static vectors, or both")
    if template and model is None:
        raise InputError("static vectors have no context: --template needs a model")
    if mix is not None and (model is None or not static):
        raise InputError("--mix weighs static vectors against a model: it needs both")
    chosen = changed_protocol(find_bli_protocol(protocol), candidates, script_filter, drop_identical, any_source)
    dictionaries = given_dictionaries(data or [], languages)
    codes = list(dict.fromkeys(code for one in dictionaries for code in one.languages))
    words, vectors = given_words(codes, vocabulary or [], static or [], chosen)
    about: dict[str, Any] = {"model": model, "encoder": None, "static": static, "mix": None}
    encode: Encode = static_encode(vectors, lowercase=chosen.lowercase)
    if model is not None:
        from align.encoders.words import word_encoder

        encoder = choice.load()
        about |= choice.about(encoder)
        about["encoder"] |= {"template": template} if template else {}
        contextual = word_encoder(encoder, template=template, progress=context.obj)
        made_by = about["encoder"] | ({"bf16": True} if choice.bf16 else {})
        by_model = contextual if no_cache else cached(contextual, encoder=made_by, folder=cache)
        about["mix"] = (0.8 if mix is None else mix) if static else None
        encode = mixed(encode, by_model, weight=about["mix"]) if static else by_model
    result = bli_pairs(
        encode,
        dictionaries,
        words,
        protocol=chosen,
        both=both,
        csls=csls,
        per_word=per_item,
        translations=top if translations else 0,
        resamples=resamples,
        seed=seed,
    )
    if translations:
        with whole_file(translations) as temporary, open(temporary, "w", encoding="utf-8", newline="\n") as file:
            file.writelines(line + "\n" for line in result.translations())
    tell(result.to_json() | about, result.table(), out=out, as_json=as_json)


def changed_protocol(
    protocol: BliProtocol, candidates: int | None, script_filter: bool, drop_identical: bool, any_source: bool
) -> BliProtocol:
    """The protocol with what the arguments change in it, and a name that says so."""
    changed = replace(
        protocol,
        candidates=protocol.candidates if candidates is None else candidates,
        script_filter=script_filter or protocol.script_filter,
        identical="drop" if drop_identical else protocol.identical,
        source_in_vocabulary=protocol.source_in_vocabulary and not any_source,
    )
    return protocol if changed == protocol else replace(changed, name=f"{protocol.name} (changed)")


def given_dictionaries(data: Sequence[str], languages: str | None) -> list[Dictionary]:
    """The dictionaries that ``--data`` names, read, of the languages asked for."""
    from align.tasks import find_dictionaries, read_dictionary
    from align.tasks.texts.named_files import language_code

    if not data:
        raise InputError("no dictionary: expected --data FILE, FOLDER or CODE-CODE=PATH")
    files = find_dictionaries(data)
    codes = [language_code(code.strip()) for code in languages.split(",")] if languages else None
    wanted = {pair: path for pair, path in files.items() if codes is None or set(pair) <= set(codes)}
    if not wanted:
        known = ", ".join(sorted({code for pair in files for code in pair}))
        raise InputError(f"no dictionary is of two of {', '.join(codes or [])}; there are dictionaries of {known}")
    return [read_dictionary(path, pair) for pair, path in wanted.items()]


def given_words(
    codes: Sequence[str], vocabulary: Sequence[str], static: Sequence[str], protocol: BliProtocol
) -> tuple[Mapping[str, Sequence[str]], Mapping[str, StaticVectors]]:
    """Vocabulary and static vectors of each language; with both, the words of the vocabulary that have a vector."""
    from align.tasks import read_vocabulary
    from align.tasks.texts.named_files import files_by_language
    from align.vectors.static import read_vectors

    if not vocabulary and not static:
        raise InputError("no candidates: expected --vocabulary, word lists by language, or --static vectors")
    files = files_by_language(vocabulary, codes, "vocabulary") if vocabulary else {}
    words: dict[str, Sequence[str]] = {code: read_vocabulary(path) for code, path in files.items()}
    vectors: dict[str, StaticVectors] = {}
    for code, path in (files_by_language(static, codes, "static vectors") if static else {}).items():
        limit = None if vocabulary else protocol.candidates
        vectors[code] = read_vectors(path, limit=limit, lowercase=protocol.lowercase, words=words.get(code))
        known = vectors[code].rows
        given = words.get(code, vectors[code].words)
        words[code] = [word for word in given if (word.lower() if protocol.lowercase else word) in known]
        lacking = len(given) - len(words[code])
        if lacking:
            logger.warning("%s: %d of %d words of the vocabulary have no static vector", code, lacking, len(given))
    return words, vectors

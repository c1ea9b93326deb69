"""Wordnets in WN-LMF: the words of synsets, which meet across languages on the interlingual index (ILI)."""

from __future__ import annotations

import html
import importlib.util
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from align.errors import InputError
from align.files.archives import is_folder, is_there
from align.files.packed import PACKED, open_bytes
from align.files.whole import existing_file
from align.pairs.lexicons.format import ConceptWord, Format, no_word
from align.pairs.reading.xml import ILLEGAL, parse_xml
from align.text.tags import language_of_tag

LEXICONS, ENTRIES = {"Lexicon", "LexiconExtension"}, {"LexicalEntry", "ExternalLexicalEntry"}
READ = {"Lemma", "Sense", "Synset", "Definition", *LEXICONS, *ENTRIES}
HEAD = 1 << 16
LICENCE = re.compile(rb"<Lexicon\s[^>]*?\slicense\s*=\s*([\"'])(.*?)\1", re.DOTALL)
SAMPLE = 200
"""So many words of a lexicon say which script it is in, where its language tag does not."""
INSTALLED = re.compile(r"[a-z][\w+-]*:[\w.+-]+")
"""Name and version of a lexicon of the library ``wn``."""


def wordnet_words(source: Path | str, *, languages: Sequence[str] = ()) -> Iterator[ConceptWord]:
    """Words of the synsets of a wordnet, streamed; ``gloss`` is the first definition in the language of the wordnet.

    The concept is the ILI of the synset (``i35545``), on which wordnets of all languages meet; a synset without one
    is a concept of its own lexicon (``deu_Latn:odenet:odenet-1-n``), for ids such as ``syn1`` stand in many. A word is
    the lemma of an entry, once for each sense.

    A file is read twice and touches no database: its entries stand before the synsets. Memory holds the synsets
    (id, ILI, definition). An installed lexicon is asked of the library ``wn``; its rows are numbered, not its lines.

    References:
        Bond and Foster 2013, Linking and Extending an Open Multilingual Wordnet; Bond et al. 2016, CILI.
    """
    name = str(source)
    local = is_there(source) or "/" in name or name.endswith((".xml", *PACKED))
    return _from_file(existing_file(source), languages) if local else _from_wn(name, languages)


_Key = tuple[int, str]
"""Number of a lexicon in its file, id of a synset in it: two lexicons may have the same ids."""


@dataclass
class _Lexicon:
    """What the first reading of a file finds out about one of its lexicons."""

    number: int
    tag: str
    id: str
    words: list[str] = field(default_factory=list)


def _from_file(path: Path, languages: Sequence[str]) -> Iterator[ConceptWord]:
    lexicons, ili, glosses = _survey(path)
    home = {synset: number for number, synset in reversed(ili)}  # some files keep their synsets in one lexicon
    codes = [_language(lexicon.tag, lexicon.words, languages, f"{path}, line {lexicon.number}") for lexicon in lexicons]
    if languages and not set(codes) & set(languages):
        raise InputError(no_word(path, languages, sorted({*codes})))
    current, word, count = -1, "", 0
    for element in _elements(path):
        if element.name in LEXICONS:
            current += 1
        elif element.name in ENTRIES:
            word = ""  # an entry of an extension does not repeat the lemma of the lexicon that it extends
        elif element.name == "Lemma":
            word = _spaced(element.attributes.get("writtenForm", ""))
        elif element.name == "Sense":
            count += 1
            if languages and codes[current] not in languages:
                continue
            synset = element.attributes.get("synset", "")
            number = current if (current, synset) in ili else home.get(synset, current)
            problem = "" if (number, synset) in ili else "unknown synset"
            if element.attributes.get("lexicalized") == "false":
                problem = "not lexicalised"
            concept = ili.get((number, synset)) or _own(codes[number], lexicons[number].id, synset)
            gloss = glosses.get((number, synset), "")
            problem = (
                problem or ("" if word else "no lemma") or ("illegal character" if ILLEGAL in word + gloss else "")
            )
            shown = word.replace(ILLEGAL, "\ufffd")
            yield ConceptWord(str(path), element.number, concept, codes[current], shown, gloss, problem)
    if not count:
        raise InputError(f"{path} holds no word sense (Sense)")


def _own(code: str, lexicon: str, synset: str) -> str:
    """The concept of a synset without an ILI."""
    return f"{code}:{lexicon}:{synset}"


def _survey(path: Path) -> tuple[list[_Lexicon], dict[_Key, str], dict[_Key, str]]:
    """The lexicons of a file, and of each synset the ILI ("" if it has none) and the definition."""
    lexicons: list[_Lexicon] = []
    ili: dict[_Key, str] = {}
    glosses: dict[_Key, str] = {}
    synset = (0, "")
    for element in _elements(path):
        if element.name in LEXICONS:
            tag = element.attributes.get("language", "")
            lexicons.append(_Lexicon(element.number, tag, element.attributes.get("id", "")))
        elif not lexicons:
            raise InputError(f"{path}, line {element.number}: expected a Lexicon first, got {element.name}")
        elif element.name == "Lemma" and len(lexicons[-1].words) < SAMPLE:
            lexicons[-1].words.append(element.attributes.get("writtenForm", ""))
        elif element.name == "Synset":
            synset = (len(lexicons) - 1, element.attributes.get("id", ""))
            number = element.attributes.get("ili", "")
            ili[synset] = "" if number == "in" else number  # "in": proposed, not yet numbered
        elif element.name == "Definition" and _same_language(element.attributes.get("language"), lexicons[-1].tag):
            glosses.setdefault(synset, element.text)
    return lexicons, ili, glosses


def _language(tag: str, words: Sequence[str], languages: Sequence[str], place: str) -> str:
    code = language_of_tag(tag, " ".join(words), languages)
    if not code:
        raise InputError(f"{place}: the language of the lexicon, {tag!r}, is not a known language tag such as 'fr'")
    return code


def _same_language(tag: str | None, other: str) -> bool:
    return tag is None or tag.split("-")[0].lower() == other.split("-")[0].lower()


def _from_wn(name: str, languages: Sequence[str]) -> Iterator[ConceptWord]:
    if importlib.util.find_spec("wn") is None:
        raise InputError(
            f"the lexicon {name!r} needs wn, the library of wordnets: pip install 'align-encoders[wordnet]'"
        )
    import wn

    try:
        lexicons = _installed(name)
    except wn.Error as error:
        raise InputError(f"{_not_installed(name)} ({error})") from error
    if not lexicons:
        raise InputError(_not_installed(name))
    for lexicon in lexicons:
        wordnet = wn.Wordnet(lexicon.specifier(), expand="")
        words = [word.lemma() for word in wordnet.words()[:SAMPLE]]
        code = _language(lexicon.language, words, languages, lexicon.specifier())
        if languages and code not in languages:
            continue
        number = 0
        for synset in wordnet.synsets():
            definitions = [
                one.text for one in synset.definitions(data=True) if _same_language(one.language, lexicon.language)
            ]
            concept = str(synset.ili or "") or _own(code, lexicon.id, synset.id)
            gloss = (definitions or [""])[0]
            for word in synset.lemmas():
                number += 1
                yield ConceptWord(lexicon.specifier(), number, concept, code, _spaced(word), gloss)


def _not_installed(name: str) -> str:
    return (
        f"no lexicon {name!r} is installed: python -m wn download {name} "
        "(pip install 'align-encoders[wordnet]'), or give a WN-LMF file"
    )


def _spaced(word: str) -> str:
    return " ".join(word.replace("_", " ").split())  # some wordnets join the words of a phrase by underscores


class _Element(NamedTuple):
    """The beginning of an element: its line, name and attributes; of a definition also the text."""

    number: int
    name: str
    attributes: dict[str, str]
    text: str = ""


def _elements(path: Path) -> Iterator[_Element]:
    """The elements of a file that a lexicon of words needs: in order, streamed."""
    done: list[_Element] = []
    text: list[str] = []
    root = True

    def start(name: str, attributes: dict[str, str], number: int) -> None:
        nonlocal root
        if root and name != "LexicalResource":
            place = f"{path}, line {number}"
            raise InputError(f"{place}: expected a wordnet in WN-LMF (LexicalResource), got the element {name!r}")
        root = False
        text.clear()
        if name in READ:
            done.append(_Element(number, name, attributes))

    def end(name: str) -> None:
        if name == "Definition" and done and done[-1].name == name:
            done[-1] = done[-1]._replace(text=" ".join("".join(text).split()))

    for _ in parse_xml(path, start, end, text.append):
        yield from done[:-1]  # the last may still get its text
        del done[:-1]
    yield from done


def _installed(name: str) -> list[Any]:
    """The lexicons that ``wn`` has under a name such as ``omw-fr:1.4``; it must be importable."""
    import wn

    config = wn.config  # type: ignore[attr-defined]  # documented, but not among wn's exports
    if not config.database_path.is_file():  # asking for a lexicon would make an empty one
        return []
    return list(wn.lexicons(lexicon=name))


def _licence(source: str) -> str:
    """The attribute ``license`` of the first lexicon of a WN-LMF file or of an installed lexicon; "" if it has none."""
    path = Path(source)
    if is_there(path) and not is_folder(path):
        with open_bytes(path) as file:
            found = LICENCE.search(file.read(HEAD))
        return html.unescape(found[2].decode("utf-8", "replace")).strip() if found else ""
    if importlib.util.find_spec("wn") is None:
        return ""
    return next((str(lexicon.license or "") for lexicon in _installed(source)), "")


FORMAT = Format(
    "wordnet",
    lambda source, sides, languages: wordnet_words(source, languages=languages),
    help="Wordnet in WN-LMF, or an installed lexicon, omw-fr:1.4; again for more.",
    recognises=lambda name, head: b"<LexicalResource" in head or bool(INSTALLED.fullmatch(name)),
    turn=2,
    licence=_licence,
    page=("wordnets", "words of synsets joined on ILI, glosses", "Open Multilingual Wordnet, WN-LMF", "by wordnet"),
    given="FILE` or id",
)

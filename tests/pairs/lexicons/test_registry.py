"""One file is a format of word lists: every one is recognised, read, and says where a row is bad."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from dictd_files import dictionary
from plugged import Distribution

from align import synonym_pairs
from align.errors import InputError
from align.pairs import Lexicon
from align.pairs.lexicons.lexicon import find_lexicons, lexicon_rows
from align.pairs.lexicons.registry import DICTIONARY, format_of, formats

ROOT = Path(__file__).parents[3]
CODES = ("eng_Latn", "deu_Latn")
PANLEX = "id\tlangvar\ttxt\ttxt_degr\tmeaning\tlangvar_uid\n"
LEXICON = '<LexicalResource>\n<Lexicon id="a" language="en" license="CC0">\n'


def of_dictd(folder, name):
    dictionary(folder, [(["dog"], "dog\nHund, Köter"), (["only"], "only\n")], name=name.removesuffix(".index"))


GOOD = {
    "dictionary": ("eng_Latn-deu_Latn.tsv", "dog\tHund\n\t\n"),
    "freedict": ("eng_Latn-deu_Latn.index", of_dictd),
    "tei": (
        "eng_Latn-deu_Latn.tei",
        '<TEI><entry><form><orth>dog</orth></form><sense><cit type="trans"><quote>Hund</quote></cit></sense></entry>\n'
        "<entry><form><orth>none</orth></form></entry></TEI>\n",
    ),
    "panlex": ("meanings.tsv", PANLEX + "1\t1\tdog\td\t9\teng-000\n2\t2\tHund\th\t9\tdeu-000\n3\t3\tx\tx\t\teng-000\n"),
    "wordnet": (
        "wn.xml",
        f'{LEXICON}<LexicalEntry id="b"><Lemma writtenForm="dog"/><Sense id="s" synset="y"/>\n'
        '<Sense id="t" synset="nowhere"/></LexicalEntry><LexicalEntry id="c"><Lemma writtenForm="hound"/>\n'
        '<Sense id="u" synset="y"/></LexicalEntry><Synset id="y" ili="i1"/></Lexicon></LexicalResource>\n',
    ),
    "kaikki": (
        "extract.jsonl",
        json.dumps({"word": "dog", "lang_code": "en", "translations": [{"word": "Hund", "lang_code": "de"}]})
        + '\n{"redirect": "dog", "title": "dogs"}\n',
    ),
    "entities": ("names.tsv", "code\ten\tde\txq\nDE\tGermany\tDeutschland\tx\n"),
}
"""A file of every format, as text or what writes it, with two words of one meaning and a row that cannot be used."""
DAMAGED = {
    "dictionary": (
        "eng_Latn-deu_Latn.tsv",
        "a\tb\tc\nd\te\tf\n",
        "line 1: expected source TAB target, got 3 columns",
    ),
    "freedict": ("eng_Latn-deu_Latn.index", "dog\tA\n", "line 1: expected headword TAB offset TAB length"),
    "tei": ("eng_Latn-deu_Latn.tei", "<TEI>\n<entry></TEI>\n", "line 2: not well-formed XML (mismatched tag)"),
    "panlex": ("meanings.tsv", PANLEX + "1\t1\tdog\n", "line 2: expected 6 columns as in line 1, got 3"),
    "wordnet": ("wn.xml", LEXICON + "</LexicalResource>\n", "line 3: not well-formed XML"),
    "kaikki": ("extract.jsonl", "[]\n", "line 1: expected a JSON object, got list"),
    "entities": ("names.tsv", "code\ten\tde\nDE\tGermany\n", "line 2: expected 3 columns as in line 1, got 2"),
}


def written(folder, name, text):
    if callable(text):
        text(folder, name)
    else:
        (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def test_every_format_has_its_files_here():
    own = [name for name, one in formats().items() if one.read.__module__.startswith("align.")]
    assert sorted(own) == sorted(GOOD) == sorted(DAMAGED)


@pytest.mark.parametrize("name", GOOD)
def test_a_file_is_recognised_read_and_its_bad_rows_are_counted(name, tmp_path):
    path = written(tmp_path, *GOOD[name])
    assert format_of(path) == name
    manifest = synonym_pairs(path, tmp_path / "out", languages=CODES)
    assert manifest["sources"][0]["format"] == name
    (row,) = pq.read_table(tmp_path / "out/pairs.parquet").to_pylist()[:1]
    assert {row["source"], row["target"]} in ({"dog", "Hund"}, {"dog", "hound"}, {"Germany", "Deutschland"})
    assert sum(manifest["rejects"].values()) == 1
    reason, file, line, _ = (tmp_path / "out/rejects.tsv").read_text(encoding="utf-8").splitlines()[1].split("\t")
    assert manifest["rejects"] == {reason: 1}
    assert file == str(path) and line.isdecimal()


@pytest.mark.parametrize("name", DAMAGED)
def test_damage_is_named_with_file_and_line(name, tmp_path):
    file, text, sentence = DAMAGED[name]
    path = written(tmp_path, file, text)
    if name == "freedict":
        path.with_suffix(".dict").write_text("dog\n")
    with pytest.raises(InputError) as refused:
        list(lexicon_rows(Lexicon(path, name, CODES if formats()[name].two_sides else ()), CODES))
    assert str(refused.value).startswith(f"{path}, {sentence}")


def test_names_and_compressed_files_are_told_too(tmp_path):
    assert [format_of(name) for name in ("cointegrated/panlex-meanings", "omw-fr:1.4", "eng_Latn-deu_Latn.xml")] == [
        "panlex", "wordnet", "dictionary"
    ]  # fmt: skip
    path = tmp_path / "w.xml.gz"
    path.write_bytes(gzip.compress(GOOD["wordnet"][1].encode()))
    assert find_lexicons([path]) == [Lexicon(path, "wordnet", licence="CC0")]
    (tmp_path / "names.jsonl").write_text('{"code": "DE", "en": ["Germany"], "de": ["Deutschland"]}\n')
    assert format_of(tmp_path / "names.jsonl") == "entities"
    # two codes before it make a dictionary of a table, whatever its header
    assert format_of(written(tmp_path, "eng_Latn-deu_Latn.tsv", GOOD["entities"][1])) == "dictionary"
    assert format_of(tmp_path / "names.tsv", CODES) == "dictionary"
    assert format_of(written(tmp_path, "en-de.tsv", "en\tde\nab\tcd\n")) == "dictionary"


@pytest.mark.skipif(not (ROOT / "docs").is_dir(), reason="only in a checkout of the source")
def test_the_page_has_the_table():
    rows = ["| source | what it gives | where | licence | option |", "|---|---|---|---|---|"]
    for name, one in formats().items():
        option = "eng_Latn-deu_Latn=" if name == DICTIONARY else f"--{name} "
        rows.append(f"| {' | '.join(one.page)} | `{option}{one.given} |")
    assert "\n".join(rows) in (ROOT / "docs/lexicons.md").read_text(encoding="utf-8")


PLUGIN = '''
"""A format of another package: word, equals sign, word."""
from align.files.whole import read_lines
from align.pairs.lexicons.format import Format, WordPair


def read(source, sides, languages):
    for number, line in enumerate(read_lines(source), 1):
        one, _, two = line.partition("=")
        yield WordPair(str(source), number, *sides, one, two, f"{sides[0]}:{one}", "" if two else "no equals sign")


FORMAT = Format("equals", read, help="FILE.eq", recognises=lambda name, head: name.endswith(".eq"), two_sides=True)
'''


def test_another_package_adds_one(tmp_path):
    package = Distribution(tmp_path, "equals", PLUGIN)
    package.offers("align.lexicons", "equals = equals_package")
    (tmp_path / "eng_Latn-deu_Latn.eq").write_text("dog=Hund\ncat\n")
    assert "--equals" in package.run("pairs", "synonyms", "--help").stdout
    for given in (["eng_Latn-deu_Latn.eq"], ["--equals", "eng_Latn-deu_Latn=eng_Latn-deu_Latn.eq"]):
        done = package.run("pairs", "synonyms", *given, "--out", "o")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["rejects"] == {"no equals sign": 1}
    package.offers("align.lexicons", "equals = equals_package:missing")
    refused = package.run("pairs", "synonyms").stderr
    assert "the entry point 'equals' of align.lexicons (equals_package:missing) does not load" in refused


def test_formats_are_read_in_their_turn():
    """Of equal pairs the first is kept, so that a table of several formats depends on the order."""
    own = [name for name, one in formats().items() if one.read.__module__.startswith("align.")]
    assert own == ["dictionary", "freedict", "tei", "panlex", "wordnet", "kaikki", "entities"]

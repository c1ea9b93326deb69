"""Dictionaries in TEI, the form of FreeDict's sources."""

from __future__ import annotations

import gzip

import pytest

from align.errors import InputError
from align.pairs.lexicons.registry import format_of
from align.pairs.lexicons.tei import tei_pairs

ENTRIES = """
<entry><form><orth>Brunnen</orth><pron>x</pron></form><gramGrp><pos>n</pos></gramGrp>
  <sense n="1"><cit type="trans" xml:lang="en"><quote>well</quote></cit><cit type="trans"><quote>water
    well</quote></cit>
    <cit type="example"><quote>Der Brunnen ist tief.</quote><cit type="trans"><quote>It is deep.</quote></cit></cit>
  </sense>
  <sense n="2"><cit type="translation"><quote>fountain</quote></cit></sense>
  <re><form><orth>Brunnenrand</orth></form><sense><cit type="trans"><quote>rim</quote></cit></sense></re></entry>
<entry><form><orth>Brunnen</orth><form type="variant"><orth>Bronnen</orth></form></form>
  <sense><cit type="trans"><quote>spring</quote></cit></sense></entry>
<entry><form><orth>leer</orth></form><sense><def>nothing</def></sense></entry>
<entry><form><orth>alt</orth></form><trans><tr>old</tr></trans></entry>
"""


def write(path, entries, root="TEI"):
    text = f'<?xml version="1.0"?>\n<{root} xmlns="http://www.tei-c.org/ns/1.0"><text><body>{entries}</body></text></{root}>'
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def read(path):
    rows = tei_pairs(path, source_lang="deu_Latn", target_lang="eng_Latn")
    return [(row.number, row.source, row.target, row.concept.partition(":")[2], row.problem) for row in rows]


@pytest.mark.parametrize("name", ["deu-eng.tei", "deu-eng.tei.gz"])
def test_the_translations_of_each_sense(tmp_path, name):
    path = write(tmp_path / name, ENTRIES)
    assert read(path) == [
        (3, "Brunnen", "well", "Brunnen", ""),
        (3, "Brunnen", "water well", "Brunnen", ""),
        (3, "Brunnen", "fountain", "Brunnen#deu-eng:2", ""),
        (10, "Brunnen", "spring", "Brunnen#deu-eng:3", ""),
        (10, "Bronnen", "spring", "Brunnen#deu-eng:3", ""),
        (12, "leer", "", "leer", "no translation"),
        (13, "alt", "old", "alt", ""),
    ]
    assert format_of(path, ("deu_Latn", "eng_Latn")) == "tei"


def test_what_cannot_be_used_says_why(tmp_path):
    entry = '<entry><form><orth>{}</orth></form><sense><cit type="trans"><quote>{}</quote></cit></sense></entry>'
    path = write(tmp_path / "a.tei", entry.format("", "x") + entry.format("a&#7;b", "x"))
    assert [(row[1], row[4]) for row in read(path)] == [("", "no headword"), ("a\ufffdb", "illegal character")]


@pytest.mark.parametrize(
    ("entries", "root", "message"),
    [
        ("", "TEI", r"a.tei holds no entry \(entry\); expected a dictionary in TEI"),
        (ENTRIES, "html", "a.tei, line 2: expected a dictionary in TEI, got the element 'html'"),
    ],
)
def test_other_files(tmp_path, entries, root, message):
    with pytest.raises(InputError, match=message):
        read(write(tmp_path / "a.tei", entries, root))

"""XML of other people: what breaks a rule of it costs the unit it stands in, not the file."""

from __future__ import annotations

import pytest

from align.errors import InputError
from align.pairs.reading import xml
from align.pairs.reading.tmx import read_tmx
from align.pairs.reading.xml import ILLEGAL


def units(path, body, *, encoding="utf-8", declared="UTF-8"):
    text = f'<?xml version="1.0" encoding="{declared}"?>\n<tmx><header/><body>{body}</body></tmx>'
    path.write_bytes(text.encode(encoding))
    return [[segment for _, segment in unit.variants] for unit in read_tmx(path)]


def unit(one, two="zwei"):
    return f'<tu><tuv xml:lang="en"><seg>{one}</seg></tuv><tuv xml:lang="de"><seg>{two}</seg></tuv></tu>\n'


@pytest.mark.parametrize("chunk", [7, 1 << 16])
@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("R & D", f"R {ILLEGAL} D"),
        ("2 < 3 <= 4", f"2 {ILLEGAL} 3 {ILLEGAL}= 4"),
        ("R &amp; D &lt;x&gt; &#65;&#x42;", "R & D <x> AB"),
        ("caf&eacute;&nbsp;au lait", "café\u00a0au lait"),
        ("a &nosuchname; b", f"a {ILLEGAL} b"),
        ("<![CDATA[R & D &eacute; <b>]]> &ouml;", "R & D &eacute; <b> ö"),
        ("one<!-- R & D -- &c; --> two".replace(" -- ", " - "), "one two"),
        ("a ]] - b & c", f"a ]] - b {ILLEGAL} c"),
        ("&#7;", ILLEGAL),
    ],
)
def test_references(tmp_path, monkeypatch, chunk, written, read):
    monkeypatch.setattr(xml, "CHUNK", chunk)
    assert units(tmp_path / "a.tmx", unit(written) + unit("two")) == [[read, "zwei"], ["two", "zwei"]]


def test_names_have_a_prefix(tmp_path):
    body = '<t:tu><t:tuv xml:lang="en"><t:seg>one</t:seg></t:tuv></t:tu>'
    (tmp_path / "a.tmx").write_text(f'<t:tmx xmlns:t="http://www.lisa.org/tmx14"><t:body>{body}</t:body></t:tmx>')
    assert [unit.variants for unit in read_tmx(tmp_path / "a.tmx")] == [(("en", "one"),)]


def test_another_encoding_than_is_declared_is_named(tmp_path, caplog):
    body = unit("one", "вода в колодце холодная") * 3
    assert ILLEGAL in units(tmp_path / "a.tmx", body, encoding="cp1251")[0][1]
    assert "a.tmx: some bytes are no utf-8, as it says to be: probably WINDOWS-1251, 'вода в колодце" in caplog.text
    assert units(tmp_path / "a.tmx", body, encoding="cp1251", declared="windows-1251")[0][1][:4] == "вода"


def test_a_file_that_ends_in_the_middle(tmp_path):
    (tmp_path / "a.tmx").write_text(f"<tmx><body>{unit('one')}<tu><tuv")
    with pytest.raises(InputError, match=r"a.tmx, line 2: not well-formed XML .*it ends in the middle: is the file"):
        list(read_tmx(tmp_path / "a.tmx"))


def test_declared_entities_are_refused(tmp_path):
    (tmp_path / "a.tmx").write_text(f'<!DOCTYPE tmx [<!ENTITY a "b">]><tmx><body>{unit("&a;")}</body></tmx>')
    with pytest.raises(InputError, match="a.tmx, line 1: expected plain text, got the entity 'a'"):
        list(read_tmx(tmp_path / "a.tmx"))

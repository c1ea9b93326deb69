"""Text that is no UTF-8: the encoding that it is probably in, told by the letters that it gives."""

from __future__ import annotations

import gzip

import pytest

from align.files.guessing import NAMES, conversion, guess
from align.files.lines import text_lines

SENTENCES = {
    "cp1252": [
        "Die Straße führt über die Brücke zum Fluß.",
        "L’été dernier, le garçon était à l’hôtel près du château.",
    ],
    "cp1250": ["Zażółć gęślą jaźń, powiedział chłopiec.", "Příliš žluťoučký kůň úpěl ďábelské ódy."],
    "iso8859_2": ["Zażółć gęślą jaźń, powiedział chłopiec."],
    "cp1254": ["Güneş doğdu, çocuklar bahçede oynuyor ve kuşlar şarkı söylüyor."],
    "cp1257": ["Šodien ir saulaina diena, un bērni spēlējas dārzā.", "Vaikai žaidžia sode, o paukščiai čiulba."],
    "cp850": ["Die Straße führt über die Brücke zum Fluss."],
    "mac_roman": ["Die Straße führt über die Brücke zum Fluss."],
    "cp1251": ["Вода в колодце холодная и чистая.", "Їжак і єнот живуть у лісі біля річки."],
    "koi8_r": ["Вода в колодце холодная и чистая."],
    "cp866": ["Вода в колодце холодная и чистая."],
    "cp1253": ["Το νερό στο πηγάδι είναι κρύο και καθαρό."],
    "cp1255": ["המים בבאר קרים וצלולים"],
    "cp1256": ["الماء في البئر بارد ونظيف"],
    "cp874": ["น้ำในบ่อเย็นและใสสะอาด"],
    "cp932": ["井戸の水は冷たくて、とてもきれいです。"],
    "euc_jp": ["井戸の水は冷たくて、とてもきれいです。"],
    "gb18030": ["这里的水是很冷的，我们不要在这个地方下去。"],
    "big5": ["這裡的水是很冷的，我們不要在這個地方下去。"],
    "cp949": ["우물의 물은 차고 맑아서 아이들이 자주 마시러 온다."],
}


@pytest.mark.parametrize(("codec", "text"), [(codec, text) for codec, texts in SENTENCES.items() for text in texts])
def test_the_encoding_of_a_sentence_is_told(codec, text):
    found = guess(text.encode(codec, "ignore"))
    assert found is not None and found.codec == codec
    assert found.shown in text.encode(codec, "ignore").decode(codec)


def test_what_is_no_text_of_any_table_is_none():
    assert guess(bytes(range(128, 256)) * 3) is None
    assert guess(b"") is None and guess(b"plain\n") is None
    assert guess(b"\0" * 100) is None and guess(bytes(range(256))) is None


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
def test_wide_characters_without_a_mark(codec):
    assert guess("one line\ntwo".encode(codec)) == (codec, "one line")
    assert guess("Вода и хлеб\n".encode(codec)) == (codec, "Вода и хлеб")


def test_the_sentence_says_how_to_convert(tmp_path):
    path = tmp_path / "a.txt.gz"
    path.write_bytes(gzip.compress("Вода в колодце холодная".encode("cp1251")))
    assert conversion(path) == (
        "probably WINDOWS-1251, 'Вода в колодце холодная': unpack it and convert it by iconv -f WINDOWS-1251 -t UTF-8"
    )


def test_damaged_utf8_is_not_taken_for_another_encoding(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes("\n".join(["Вода в колодце"] * 3).encode() + "\nхлеб".encode()[:-1])
    assert [problem for _, problem in text_lines(path)][
        -1
    ] == "invalid UTF-8 (most of it is UTF-8: look at these lines)"


def test_iconv_knows_each_name():
    for codec, name in NAMES.items():
        assert "а".encode(codec, "ignore") == "а".encode(name.replace("MACINTOSH", "mac_roman"), "ignore")


def test_quotation_marks_alone_are_of_windows_or_of_a_mac():
    for codec in ("cp1252", "mac_roman"):
        assert guess("the “house” – it’s".encode(codec)).codec == codec

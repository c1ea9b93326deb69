"""Reading dictionaries and vocabularies, and what the names of files say."""

from __future__ import annotations

import gzip
import logging
import os
from pathlib import Path

import pytest

from align.errors import InputError
from align.tasks import Dictionary, find_dictionaries, read_dictionary, read_vocabulary
from align.tasks.texts.named_files import USUAL_CODES, files_by_language, language_code, language_of_name, pair_of_name
from align.tasks.texts.vocabulary import candidate_words, outside_script
from align.text.languages import check_language

PAIR = ("eng_Latn", "deu_Latn")


def write(path: Path, text: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    data = text.encode() if isinstance(text, str) else text
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


@pytest.mark.parametrize("ending", ["txt", "tsv.gz"])
def test_dictionaries_parted_by_spaces_or_tabs(tmp_path, ending, caplog) -> None:
    spaces = write(tmp_path / f"a.{ending}", "\ufeffdog hund\ndog  köter \n\ncat katze\r\ndog hund\n")
    found = read_dictionary(spaces, PAIR)
    assert found == Dictionary(
        PAIR, (("dog", "hund"), ("dog", "köter"), ("cat", "katze"), ("dog", "hund")), str(spaces)
    )
    assert (found.duplicates, found.identical) == (1, 0)
    said = [record.getMessage() for record in caplog.records]
    assert said == [
        f"{spaces}: 1 of 5 lines are blank and were passed over",
        f"{spaces}: 1 of 5 lines repeat an earlier one",
    ]
    tabs = write(tmp_path / f"b.{ending}", "New York\tNew York\nice cream\tEis\nTaxi\ttaxi\n")
    found = read_dictionary(tabs, PAIR)
    assert found.pairs == (("New York", "New York"), ("ice cream", "Eis"), ("Taxi", "taxi"))
    assert found.identical == pytest.approx(2 / 3)
    assert found.reversed() == Dictionary(PAIR[::-1], tuple((b, a) for a, b in found.pairs), str(tabs))


def test_words_may_hold_unicode_spaces_and_joiners(tmp_path) -> None:
    path = write(tmp_path / "a.txt", "trick උපක්\u200dරමය\nno\u00a0one niemand\n")
    assert read_dictionary(path, PAIR).pairs == (("trick", "උපක්\u200dරමය"), ("no\u00a0one", "niemand"))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("<!DOCTYPE html>\n<html>", "line 1: expected a dictionary, got an XML or HTML page"),
        ('\n<?xml version="1.0"?><Error>', "line 2: expected a dictionary, got an XML or HTML page"),
        ("a\tb\tc\na\tb\td\n", "line 1: 3 columns, expected 2 parted by a TAB, got 'a\\tb\\tc'"),
        ("alone\n", "line 1: 1 columns, expected 2 parted by a space"),
        ("", "is empty: expected a source word and its translation on each line"),
        (b"c \xff\n", "line 1: invalid UTF-8"),
    ],
)
def test_bad_dictionaries(tmp_path, text, sentence) -> None:
    path = write(tmp_path / "a.txt", text)
    with pytest.raises(InputError) as raised:
        read_dictionary(path, PAIR)
    assert str(raised.value).startswith(str(path)) and sentence in str(raised.value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a\tb\na\tb\tc\n", "line 2: 3 columns, expected 2 parted by a TAB, got 'a\\tb\\tc'"),
        ("a\tb\nc d\n", "line 2: 1 columns, expected 2 parted by a TAB"),
        ("a\tb\nc\t \n", "line 2: expected a source word and its translation, no word is empty"),
        (
            "a b\nice cream eis\n",
            "line 2: 3 columns, expected 2 parted by a space; entries of several words need a TAB",
        ),
        ("a b\nalone\n", "line 2: 1 columns, expected 2 parted by a space, got 'alone'"),
        ("a b\nice cream\teis\n", "line 2: expected a source word and its translation, line 1 has no TAB"),
        (b"a b\nc \xff\n", "line 2: invalid UTF-8"),
    ],
)
def test_an_odd_line_is_set_aside(tmp_path, caplog, text, sentence) -> None:
    path = write(tmp_path / "a.txt", text)
    assert read_dictionary(path, PAIR).pairs == (("a", "b"),)
    assert f"{path}: 1 of 2 lines are set aside, the first: {path}, {sentence}" in caplog.text


def test_the_names_of_files() -> None:
    pairs = {
        "eng_Latn-deu_Latn.tsv": PAIR,
        "yacle.test.freq.2k.en-de.tsv": PAIR,
        "bg-ca.test.2000.cc.trans": ("bul_Cyrl", "cat_Latn"),
        "wiki_en-si_testset_1500_5000_200k.txt": ("eng_Latn", "sin_Sinh"),
        "en-de.5000-6500.txt.gz": PAIR,
        "en-eng_Latn.tsv": ("eng_Latn", "eng_Latn"),
        "five-star.txt": None,
        "xx-de.txt": None,
        "readme.txt": None,
    }
    assert {name: pair_of_name(Path(name)) for name in pairs} == pairs
    languages = {
        "de_vocab.txt.gz": "deu_Latn", "wiki.si.vec_words.txt.gz": "sin_Sinh", "cc.de.300.vec.gz": "deu_Latn",
        "srp_Latn.txt": "srp_Latn", "words.txt": None, "vectors.gz": None,
    }  # fmt: skip
    assert {name: language_of_name(Path(name)) for name in languages} == languages
    assert all(check_language(code) for code in USUAL_CODES.values()) and len(USUAL_CODES) > 80
    assert (language_code("he"), language_code("srp_Latn")) == ("heb_Hebr", "srp_Latn")
    assert pair_of_name(Path("en-iw.txt")) == ("eng_Latn", "heb_Hebr") and language_code("in") == "ind_Latn"
    with pytest.raises(InputError, match="unknown language code 'xx'"):
        language_code("xx")


def test_finding_dictionaries(tmp_path, caplog) -> None:
    caplog.set_level(logging.INFO)
    test = write(tmp_path / "xling" / "en-de" / "yacle.test.freq.2k.en-de.tsv", "a\tb\n")
    write(tmp_path / "xling" / "en-de" / "yacle.train.freq.5k.en-de.tsv", "a\tb\n")
    muse = write(tmp_path / "xling" / "en-fr.5000-6500.txt", "a b\n")
    write(tmp_path / "xling" / "en-fr.0-5000.txt", "a b\n")
    write(tmp_path / "xling" / "LICENSE", "text")
    write(tmp_path / "xling" / ".hidden.en-it.tsv", "a\tb\n")
    odd = write(tmp_path / "mine.csv", "a\tb\n")
    found = find_dictionaries([tmp_path / "xling", f"ru-deu_Latn={odd}"])
    assert found == {PAIR: test, ("eng_Latn", "fra_Latn"): muse, ("rus_Cyrl", "deu_Latn"): odd}
    said = "3 files are no test dictionaries: LICENSE, yacle.train.freq.5k.en-de.tsv, en-fr.0-5000.txt"
    assert said in caplog.text
    train = tmp_path / "xling" / "en-fr.0-5000.txt"
    assert find_dictionaries([train]) == {("eng_Latn", "fra_Latn"): train}  # named by hand, it is taken

    def fails(*given: object) -> str:
        with pytest.raises(InputError) as raised:
            find_dictionaries(given)
        return str(raised.value)

    assert fails() == "no dictionary was given"
    assert fails(tmp_path / "nowhere") == f"no such dictionary or folder: {tmp_path / 'nowhere'}"
    assert fails(odd) == f"{odd}: its name holds no two languages, such as en-de; give CODE-CODE={odd}"
    assert fails(f"en={odd}") == f"expected CODE-CODE=PATH, such as eng_Latn-deu_Latn={odd}, got en={odd}"
    assert fails(test, f"en-de={odd}").startswith(f"two dictionaries are eng_Latn-deu_Latn: {test} and {odd}; give one")
    write(tmp_path / "empty" / "readme.txt", "x")
    assert fails(tmp_path / "empty").startswith(
        f"{tmp_path / 'empty'} holds no test dictionary: expected files such as"
    )


def test_finding_a_file_of_each_language(tmp_path) -> None:
    de = write(tmp_path / "vocab" / "de_vocab.txt.gz", "a\n")
    en = write(tmp_path / "vocab" / "eng_Latn.txt", "a\n")
    odd = write(tmp_path / "words.txt", "a\n")
    write(tmp_path / "vocab" / "readme", "a\n")
    both = {"eng_Latn": en, "deu_Latn": de}
    assert files_by_language([tmp_path / "vocab"], ["eng_Latn", "deu_Latn"], "vocabulary") == both
    assert files_by_language([f"ru={odd}", de], ["rus_Cyrl"], "vocabulary") == {"rus_Cyrl": odd}

    folder = write(tmp_path / "by-en" / "deu_Latn" / "embeddings.npy", "").parent
    for given in (folder, folder.parent):
        assert files_by_language([given], ["deu_Latn"], "static vectors") == {"deu_Latn": folder}

    def fails(*given: object) -> str:
        with pytest.raises(InputError) as raised:
            files_by_language(given, ["deu_Latn"], "vocabulary")
        return str(raised.value)

    assert fails("nowhere") == "no such file or folder: nowhere"
    assert fails(odd) == f"{odd}: no name in it holds a language such as deu_Latn; give CODE={odd}"
    assert fails(en) == f"no vocabulary of deu_Latn in {en}; there are those of eng_Latn"
    assert fails(de, f"deu_Latn={odd}") == f"two files are the vocabulary of deu_Latn: {de} and {odd}; give one"


PAGE = "got an XML or HTML page, perhaps the error page of a download: '<html>'"


def test_vocabularies(tmp_path, caplog) -> None:
    caplog.set_level(logging.INFO)
    path = write(tmp_path / "v.txt.gz", "the\n,\n\nThe\nthe\nno\u00a0one\n\u2028\n")
    assert read_vocabulary(path) == ("the", ",", "The", "no\u00a0one", "\u2028")
    assert f"{path}: 5 words; 1 lines are blank, 1 repeat a word" in caplog.text
    for text, sentence in (
        ("\n \n", f"{path} holds no word: expected one a line"),
        ("<html>\n", f"{path}, line 1: expected a vocabulary, one word a line, {PAGE}"),
        ("a\nb\t12\t1\n", f"{path}, line 2: 3 columns, expected one word a line"),
    ):
        write(path, text)
        with pytest.raises(InputError) as raised:
            read_vocabulary(path)
        assert str(raised.value) == sentence


def test_case_and_size_of_a_vocabulary() -> None:
    words = ["The", "cat", "the", "Cat", "cat", "Dog"]
    assert candidate_words(words) == ("The", "cat", "the", "Cat", "Dog")
    assert candidate_words(words, limit=4) == ("The", "cat", "the", "Cat")
    assert candidate_words(words, lowercase=True) == ("the", "cat", "dog")
    assert candidate_words(words, lowercase=True, limit=2) == ("the", "cat")
    assert candidate_words([]) == ()


def test_words_in_another_script() -> None:
    words = ["собака", "dog", "2005", "…", "dвор", "xкс", "i-пад", "", "ёж"]
    assert outside_script(words, "rus_Cyrl").tolist() == [False, True, False, False, False, False, False, False, False]
    assert outside_script(["xxк", "кx"], "rus_Cyrl").tolist() == [True, False]
    assert outside_script(["日本", "ひら", "カタ", "abc"], "jpn_Jpan").tolist() == [False, False, False, True]
    assert outside_script(["été", "groß"], "fra_Latn").tolist() == [False, False]
    assert outside_script([], "fra_Latn").tolist() == []


@pytest.mark.skipif("ALIGN_DATA" not in os.environ, reason="ALIGN_DATA does not name the data folder")
def test_the_public_sets_are_read() -> None:
    data = Path(os.environ["ALIGN_DATA"]) / "bli"
    found = find_dictionaries([data / "xling", data / "panlex" / "test"])
    assert len(found) > 100
    french = read_dictionary(found["eng_Latn", "fra_Latn"], ("eng_Latn", "fra_Latn"))
    assert (len(french.pairs), french.identical) == (2000, 365 / 2000)
    german = read_vocabulary(files_by_language([data / "vocab"], ["deu_Latn"], "vocabulary")["deu_Latn"])
    assert len(german) == 100_000
    pairs = read_dictionary(found["eng_Latn", "fin_Latn"], ("eng_Latn", "fin_Latn")).pairs
    assert len(pairs) == 2000

"""Offsets of an encoder: estimated on text, taken off once, and only of the encoder that they were estimated with."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from align import load_encoder, load_recipe, offsets, save_encoder, train
from align.encoders.offsets.folder import open_offsets
from align.encoders.words import word_encoder
from align.errors import InputError

GREEK, ENGLISH = ["αβγ", "δε", "ζηθ ι", "κλμ"], ["abg", "de", "zh i", "klm"]
LINES = {"ell_Grek": GREEK, "eng_Latn": ENGLISH, "rus_Latn": ["xyz", "uvw", "rst", "qpo"]}


@pytest.fixture
def texts(tmp_path):
    """A file for each language."""
    files = {}
    for code, lines in LINES.items():
        files[code] = tmp_path / f"{code}.txt"
        files[code].write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return files


@pytest.fixture
def plain(bert_folder):
    return load_encoder(bert_folder)


def unit(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def test_centred_by_hand(plain, texts, bert_folder, tmp_path):
    made = offsets(plain, texts, tmp_path / "o")
    assert (made.method, made.languages) == ("centre", tuple(LINES))
    encoder = load_encoder(bert_folder, offsets=tmp_path / "o")
    for code, lines in LINES.items():
        raw = plain.encode(lines).astype(np.float64)
        mean = np.zeros(16)
        for row in raw:
            mean += row / len(lines)
        found = encoder.encode(lines, language=code)
        assert found == pytest.approx(unit(raw - mean), abs=1e-5)
        assert np.linalg.norm(found, axis=1) == pytest.approx(1, abs=1e-6)
        assert np.array_equal(encoder.encode(lines, language=[code] * 4), found)
    assert np.array_equal(encoder.encode(GREEK, raw=True), plain.encode(GREEK, raw=True))
    assert np.array_equal(plain.encode(GREEK, language="ell_Grek"), plain.encode(GREEK))  # an encoder without


def test_shifted_onto_the_pivot(plain, texts, bert_folder, tmp_path, caplog):
    made = offsets(plain, texts, tmp_path / "o", method="shift")
    assert made.manifest["rows"] == ["ell_Grek", "rus_Latn"] and made.rows.shape == (2, 16)
    encoder = load_encoder(bert_folder, offsets=tmp_path / "o")
    assert np.array_equal(encoder.encode(ENGLISH, language="eng_Latn"), plain.encode(ENGLISH))  # to the bit
    assert caplog.text == ""
    greek, english = plain.encode(GREEK), plain.encode(ENGLISH)
    expected = unit(greek - (greek - english).astype(np.float64).mean(axis=0))
    assert encoder.encode(GREEK, language="ell_Grek") == pytest.approx(expected, abs=1e-5)


def test_shift_leaves_out_lines_that_are_blank_on_either_side(plain, texts, tmp_path):
    texts["eng_Latn"].write_text("abg\n\nzh i\nklm\n")
    texts["ell_Grek"].write_text("αβγ\nδε\n \nκλμ\n", encoding="utf-8")
    made = offsets(plain, texts, tmp_path / "o", method="shift")
    about = {code: (one["lines"], one["blank"]) for code, one in made.manifest["languages"].items()}
    assert about == {"eng_Latn": (3, 1), "ell_Grek": (2, 2), "rus_Latn": (3, 1)}
    greek, english = plain.encode(["αβγ", "κλμ"]), plain.encode(["abg", "klm"])
    assert made.rows[made.manifest["rows"].index("ell_Grek")] == pytest.approx((greek - english).mean(axis=0), abs=1e-6)


def test_projected_whatever_the_language(plain, texts, bert_folder, tmp_path, caplog):
    made = offsets(plain, texts, tmp_path / "o", method="project")
    assert made.rows.shape == (2, 16)
    encoder = load_encoder(bert_folder, offsets=tmp_path / "o")
    for language in (None, "ell_Grek", "tam_Taml"):
        found = encoder.encode(GREEK, language=language)
        raw = plain.encode(GREEK)
        assert found == pytest.approx(unit(raw - raw @ made.rows.T @ made.rows), abs=1e-5)
    assert caplog.text == ""
    one = offsets(plain, texts, tmp_path / "o", method="project", k=1)  # in the place of the older ones
    assert one.rows.shape == (1, 16) and one.identity != made.identity
    offsets(plain, texts, tmp_path / "o", method="project", k=0)
    still = load_encoder(bert_folder, offsets=tmp_path / "o")
    assert np.array_equal(still.encode(GREEK), plain.encode(GREEK))


def test_one_language_and_one_line(plain, texts, bert_folder, tmp_path):
    texts["ell_Grek"].write_text("αβγ\n\n", encoding="utf-8")
    only = {"ell_Grek": texts["ell_Grek"]}
    made = offsets(plain, only, tmp_path / "o")
    assert made.manifest["languages"]["ell_Grek"] | {"sha256": ""} == {
        "lines": 1, "blank": 1, "file": "ell_Grek.txt", "sha256": ""
    }  # fmt: skip
    encoder = load_encoder(bert_folder, offsets=tmp_path / "o")
    assert not encoder.encode(["αβγ"]).any()  # the mean itself
    assert offsets(plain, only, tmp_path / "p", method="project").rows.shape == (0, 16)
    with pytest.raises(InputError, match="shift needs text of the pivot eng_Latn and of another language, got ell"):
        offsets(plain, only, tmp_path / "s", method="shift")


def test_the_script_decides_where_one_language_has_it(plain, texts, bert_folder, tmp_path, caplog):
    offsets(plain, texts, tmp_path / "o")
    encoder = load_encoder(bert_folder, offsets=tmp_path / "o")
    assert np.array_equal(encoder.encode(GREEK), encoder.encode(GREEK, language="ell_Grek"))
    assert not caplog.records
    assert np.array_equal(encoder.encode(ENGLISH), plain.encode(ENGLISH))  # English, or Russian in Latin letters
    with caplog.at_level(logging.WARNING):
        mixed = encoder.encode([*GREEK, "abg"], language=["", "ell_Grek", "tam_Taml", "", "eng_Latn"])
    assert "1 of 5 texts are in no language of it" in caplog.messages[-1]
    assert np.array_equal(mixed[2], plain.encode(GREEK[2:3])[0])  # a language that has none, in a script that has one
    expected = [*encoder.encode(GREEK, language="ell_Grek"), encoder.encode(["abg"], language="eng_Latn")[0]]
    assert np.abs(np.delete(mixed - np.array(expected), 2, axis=0)).max() < 1e-6
    with pytest.raises(InputError, match="2 texts but 1 languages"):
        encoder.encode(["a", "b"], language=["eng_Latn"])


def test_vectors_are_written_where_they_are_asked_for(plain, texts, bert_folder, tmp_path):
    offsets(plain, texts, tmp_path / "o")
    encoder = load_encoder(bert_folder, offsets=tmp_path / "o")
    out = np.empty((4, 16), np.float16)
    assert encoder.encode(GREEK, out=out) is out
    assert out == pytest.approx(encoder.encode(GREEK), abs=2e-3)
    whole = encoder.encode(GREEK, deterministic=True)
    alone = [encoder.encode([text], deterministic=True)[0] for text in GREEK]
    assert np.array_equal(whole, alone)
    assert np.array_equal(word_encoder(encoder)(ENGLISH, "eng_Latn"), encoder.encode(ENGLISH, language="eng_Latn"))
    in_place = word_encoder(encoder, template="a {word} b")(ENGLISH, "eng_Latn")
    assert np.abs(in_place - word_encoder(plain, template="a {word} b")(ENGLISH, "eng_Latn")).max() > 0.01


def test_vectors_that_are_no_unit_ones_stay_so(bert_folder, texts, tmp_path):
    plain = load_encoder(bert_folder)
    plain.unit = False
    made = offsets(plain, texts, tmp_path / "o")
    raw = plain.encode(GREEK)
    plain.offsets = made
    assert plain.encode(GREEK) == pytest.approx(raw - raw.mean(axis=0), abs=1e-5)


def test_they_are_part_of_what_an_encoder_is(plain, texts, bert_folder, tmp_path):
    made = offsets(bert_folder, texts, tmp_path / "o")
    encoder = load_encoder(bert_folder, offsets=tmp_path / "o")
    assert encoder.identity() == plain.identity() | {"offsets": made.identity}
    assert made.manifest["encoder"] == plain.identity()
    again = offsets(plain, texts, tmp_path / "again")
    assert again.identity == made.identity
    texts["rus_Latn"].write_text("xyz\nuvw\n")
    assert offsets(plain, texts, tmp_path / "again").identity != made.identity
    rounded = load_encoder(bert_folder, offsets=tmp_path / "o", bf16=True)
    assert rounded.identity() == encoder.identity()


def test_another_encoder_is_refused(texts, bert_folder, tmp_path, plain):
    offsets(plain, texts, tmp_path / "o")
    for options, field in (({"layer": 1}, "pooling.layer"), ({"prompt": "q "}, "prompt"), ({"max_tokens": 9}, "max_t")):
        with pytest.raises(InputError, match=rf"o has the offsets of another encoder: .*{field}"):
            load_encoder(bert_folder, offsets=tmp_path / "o", **options)
    encoder = load_encoder(bert_folder, offsets=tmp_path / "o")
    with pytest.raises(InputError, match="offsets were taken off already"):
        open_offsets(tmp_path / "o").check(encoder.identity())
    with pytest.raises(InputError, match="takes the offsets of .*o off already: give it without"):
        offsets(encoder, texts, tmp_path / "p")


def test_no_encoder_with_offsets_is_saved_or_trained(texts, bert_folder, tmp_path, plain):
    offsets(plain, texts, tmp_path / "o")
    encoder = load_encoder(bert_folder, offsets=tmp_path / "o")
    with pytest.raises(InputError, match="a saved encoder takes no offsets off"):
        save_encoder(encoder, tmp_path / "saved")
    row = {"source": "αβ", "target": "ab", "source_lang": "ell_Grek", "target_lang": "ell_Latn", "group_id": "1"}
    with pytest.raises(InputError, match="offsets are of an encoder as it is"):
        train(encoder, [row], load_recipe("transliteration"), tmp_path / "trained")
    assert not (tmp_path / "saved").exists() and not (tmp_path / "trained").exists()


@pytest.mark.parametrize(
    ("change", "options", "sentence"),
    [
        (
            {},
            {"method": "center"},
            "unknown method of offsets 'center': expected one of centre, shift, proj",
        ),
        ({}, {"k": 1}, "k is of the method project, the method is centre"),
        ({}, {"method": "project", "k": 3}, "3 languages differ along 2 directions at most, got k = 3"),
        ({"english": "missing.txt"}, {}, "unknown language code 'english'"),
        ({"tam_Taml": "missing.txt"}, {}, "no such file: missing.txt"),
        ({"tam_Taml": "blank.txt"}, {}, r"blank.txt: none of the 2 lines of tam_Taml can be used: they are blank"),
        ({}, {"method": "shift", "pivot": "deu_Latn"}, "shift needs text of the pivot deu_Latn"),
        ({"tam_Taml": "blank.txt"}, {"method": "shift"}, r"blank.txt has 2 lines, .*eng_Latn.txt has 4: shift needs"),
    ],
)
def test_what_is_refused(change, options, sentence, texts, plain, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "blank.txt").write_text(" \n\n")
    with pytest.raises(InputError, match=sentence):
        offsets(plain, {**texts, **change}, tmp_path / "o", **options)
    assert not (tmp_path / "o").exists()
    with pytest.raises(InputError, match="no text to estimate offsets on"):
        offsets(plain, {}, tmp_path / "o")


def test_a_damaged_folder_is_refused(texts, plain, bert_folder, tmp_path):
    with pytest.raises(InputError, match=r"o has no offsets: it has no manifest.json"):
        load_encoder(bert_folder, offsets=tmp_path / "o")
    offsets(plain, texts, tmp_path / "o")
    file = tmp_path / "o" / "offsets.npy"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(InputError, match=r"offsets.npy is damaged: its SHA-256"):
        load_encoder(bert_folder, offsets=tmp_path / "o")
    (tmp_path / "o" / "manifest.json").write_text("{}")
    with pytest.raises(InputError, match="is not the manifest of offsets"):
        open_offsets(tmp_path / "o")

"""``align offsets``, and the verbs that take them: each row loses its offset once, and only with its own encoder."""

from __future__ import annotations

import json

import numpy as np
import pytest

from align import load_encoder, romanize
from align.encoders.offsets.folder import open_offsets
from align.indexes.index import load_index
from align.vectors.folder import open_vectors, vectors_of

LINES = {
    "ell_Grek": ["αβγ", "δε", "ζηθ ι", "κλμ νξ", "ο πρ"],
    "ell_Latn": ["abg", "de", "zhth i", "klm nx", "o pr"],
    "eng_Latn": ["one", "two of", "three", "four it", "five"],
}


@pytest.fixture
def place(tmp_path, bert_folder):
    """Text by language, other text of each to estimate on, and a table of both languages of one script."""
    for name, part in (("verses", slice(0, 3)), ("other", slice(2, 5))):
        (tmp_path / name).mkdir()
        for code, lines in LINES.items():
            (tmp_path / name / f"{code}.txt").write_text("".join(f"{line}\n" for line in lines[part]), encoding="utf-8")
    rows = [f"{text}\t{code}" for code, lines in LINES.items() for text in lines]
    (tmp_path / "corpus.tsv").write_text("text\tlang\n" + "\n".join([*rows, "κξ\t"]) + "\n", encoding="utf-8")
    return tmp_path


@pytest.fixture
def made(align, place, bert_folder):
    """Offsets of every method, by name."""
    words = [word for code in LINES for word in ("--text", f"other/{code}.txt")]
    for method in ("centre", "shift", "project"):
        printed = json.loads(align("offsets", bert_folder, *words, "--method", method, "--out", method).out)
        assert (printed["method"], printed["out"]) == (method, method)
        assert printed["languages"]["ell_Latn"]["lines"] == 3
        assert printed["rows"] == {"centre": 3, "shift": 2, "project": 2}[method]
    return {method: open_offsets(place / method) for method in ("centre", "shift", "project")}


def rows_of(folder):
    (table,) = open_vectors(folder).tables()
    return table, vectors_of(table)


@pytest.mark.parametrize("method", ["centre", "shift", "project"])
def test_each_row_loses_its_offset_once(method, align, place, made, bert_folder):
    align("encode", bert_folder, "corpus.tsv", "--out", "v", "--offsets", method)
    align("encode", bert_folder, "corpus.tsv", "--out", "plain")
    table, found = rows_of(place / "v")
    plain = load_encoder(bert_folder).encode(table["text"].to_pylist()).astype(np.float64)
    languages = [code or "ell_Grek" for code in table["language"].to_pylist()]  # κξ: by its script
    offsets = dict(zip(made[method].manifest["rows"], made[method].rows, strict=True))
    for row, raw, code in zip(found, plain, languages, strict=True):
        if method == "project":
            moved = raw - made[method].rows.T @ (made[method].rows @ raw)
        else:
            moved = raw - offsets.get(code, 0)
        assert row == pytest.approx(moved / np.linalg.norm(moved), abs=1e-5)
    if method == "shift":
        english = [i for i, code in enumerate(languages) if code == "eng_Latn"]
        assert np.array_equal(found[english], rows_of(place / "plain")[1][english])
    align("index", "plain", "--offsets", method, "--out", "later")  # what was encoded before
    align("index", "v", "--out", "index")
    later, index = load_index(place / "later"), load_index(place / "index")
    assert later.encoder == index.encoder == {**load_encoder(bert_folder).identity(), "offsets": made[method].identity}
    assert np.abs(later.vectors - index.vectors).max() < 1e-6
    assert "were taken off already" in align("index", "v", "--offsets", method, "--out", "twice", code=2).err


def test_a_search_needs_the_same_offsets(align, place, made, bert_folder):
    for folder, words in (("with", ("--offsets", "centre")), ("without", ())):
        align("encode", bert_folder, "corpus.tsv", "--out", folder, *words)
    words = ("search", bert_folder, "with", "-k", 1, "--offsets", "centre")
    printed = align(*words, "zhth i", "--query-language", "ell_Latn")
    assert "1. 1.000" in printed.out and "zhth i" in printed.out
    printed = align(*words, "ζηθ ι")  # by its script
    assert "1. 1.000" in printed.out and "ζηθ ι" in printed.out
    none = align("search", bert_folder, "with", "q", code=2).err
    assert 'offsets.method ("centre" in the index, null in the queries)' in none
    some = align("search", bert_folder, "without", "q", "--offsets", "centre", code=2).err
    assert 'offsets.method (null in the index, "centre" in the queries)' in some
    other = align("search", bert_folder, "with", "q", "--offsets", "shift", code=2).err
    assert "offsets.fingerprint" in other and "another encoder than the index" in other


def test_prompts_of_their_own_have_offsets_of_their_own(align, place, made, bert_folder):
    """Where queries have another prompt than texts, the offsets of either are estimated with it."""
    text = ("--text", "other/ell_Grek.txt", "--text", "other/eng_Latn.txt", "--prompt", "q ")
    align("offsets", bert_folder, *text, "--out", "asked")
    align("encode", bert_folder, "corpus.tsv", "--out", "v", "--offsets", "centre")
    words = ("search", bert_folder, "v", "ζηθ ι", "-k", 1)
    align(*words, "--offsets", "asked", "--prompt", "q ")
    assert "of another encoder: prompt" in align(*words, "--offsets", "asked", code=2).err
    assert "of another encoder: prompt" in align(*words, "--offsets", "centre", "--prompt", "q ", code=2).err
    assert "offsets.method" in align(*words, "--prompt", "q ", code=2).err


def test_romanised_texts_lose_the_offset_of_romanised_text(align, place, made, bert_folder):
    (place / "greek.tsv").write_text("text\tlang\nαβγ\tell_Grek\nδε\tell_Grek\n", encoding="utf-8")
    align("encode", bert_folder, "greek.tsv", "--romanize", "--offsets", "centre", "--out", "v")
    align("encode", bert_folder, "greek.tsv", "--romanize", "--out", "plain")
    romanised = romanize(["αβγ", "δε"], lang="ell_Grek")
    expected = load_encoder(bert_folder, offsets=place / "centre").encode(romanised, language="ell_Latn")
    assert rows_of(place / "v")[1] == pytest.approx(expected, abs=1e-6)
    align("index", "plain", "--offsets", "centre", "--out", "later")
    assert load_index(place / "later").vectors == pytest.approx(expected, abs=1e-6)
    words = ("search", bert_folder, "v", "αβγ", "-k", 1, "--offsets", "centre", "--query-language", "ell_Grek")
    assert "1. 1.000" in align(*words).out


def test_mining_takes_them_off_or_finds_them_taken_off(align, place, made, bert_folder):
    for code in ("ell_Grek", "eng_Latn"):
        align("encode", bert_folder, f"verses/{code}.txt", "--out", code)
        align("encode", bert_folder, f"verses/{code}.txt", "--offsets", "shift", "--out", f"{code}.shifted")
    words = ("--score", "cosine", "-k", 2, "--direction", "max")
    align("mine", "ell_Grek.shifted", "eng_Latn.shifted", "--out", "shifted.tsv", *words)
    align("mine", "ell_Grek", "eng_Latn", "--out", "later.tsv", "--offsets", "shift", *words)
    align("mine", "ell_Grek", "eng_Latn", "--out", "plain.tsv", *words)
    shifted, later, plain = ((place / f"{name}.tsv").read_text() for name in ("shifted", "later", "plain"))
    assert shifted == later != plain
    assert "offsets.method" in align("mine", "ell_Grek.shifted", "eng_Latn", "--out", "x.tsv", code=2).err
    assert (
        "taken off already"
        in align("mine", "ell_Grek.shifted", "eng_Latn", "--offsets", "shift", "--out", "x.tsv", code=2).err
    )


def test_offsets_of_an_array_are_refused():
    from align import InputError, mine

    with pytest.raises(InputError, match="offsets are of languages, which an array does not know"):
        mine(np.eye(3), np.eye(3), offsets="nowhere")


def test_an_evaluation_knows_the_language(align, place, made, bert_folder):
    from align import evaluate

    words = ("eval", bert_folder, "retrieval=verses", "--cache", "kept", "--json")
    with_them = json.loads(align(*words, "--offsets", "centre").out)
    without = json.loads(align(*words).out)
    assert with_them["encoder"]["offsets"] == made["centre"].identity and "offsets" not in without["encoder"]
    encoder = load_encoder(bert_folder)

    def by_hand(texts, language):
        row = made["centre"].rows[made["centre"].manifest["rows"].index(language)]
        return encoder.encode(texts) - row

    from align.tasks import read_aligned
    from align.tasks.retrieval import retrieval

    expected = retrieval(by_hand, read_aligned(place / "verses"))
    values = {f"{one.queries}>{one.candidates}": one.metrics["MRR"] for one in expected.scores}
    assert {row["id"]: row["metrics"]["MRR"] for row in with_them["scores"]} == pytest.approx(values)
    moved = load_encoder(bert_folder, offsets=place / "centre")
    assert evaluate(moved, "retrieval=verses", use_cache=False)["headline"] == with_them["headline"]
    for more, sentence in (
        (("--layers", "all"), "offsets are of the layer that the encoder pools"),
        (("--layer", 1), "pooling.layer (2 in the offsets, 1 now)"),
    ):
        assert sentence in align(*words, "--offsets", "centre", *more, code=2).err
    assert "of the layer" in align("eval", bert_folder, "mexa=verses", "--offsets", "centre", code=2).err
    (place / "w.vec").write_text("1 2\na 1 0\n")
    static = ("eval", "--static", "eng_Latn=w.vec", "bli=x.tsv", "--offsets", "centre")
    assert "static vectors have no offsets" in align(*static, code=2).err


def test_texts_are_named_once_and_by_a_code(align, place, bert_folder):
    twice = ("offsets", bert_folder, "--text", "other/ell_Grek.txt", "--text", "ell_Grek=corpus.tsv", "--out", "o")
    assert "two texts of ell_Grek: other/ell_Grek.txt and corpus.tsv" in align(*twice, code=2).err
    assert (
        "unknown language code 'corpus'"
        in align("offsets", bert_folder, "--text", "corpus.tsv", "--out", "o", code=2).err
    )

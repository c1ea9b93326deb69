import json
import re

import numpy as np
import pytest

from align.encoders.checkpoint import load_encoder
from align.vectors.corpus.parts import encoder_identity
from align.vectors.folder import open_vectors, vectors_of
from align.vectors.writing import save_vectors

TEXTS = ["One. Two.", "abc def", "xyz"]


@pytest.fixture
def stored(tmp_path, bert_folder):
    encoder = load_encoder(bert_folder)
    identity = encoder_identity(encoder, romanize=False)
    save_vectors(tmp_path / "v", ["a", "b", "c"], encoder.encode(TEXTS), texts=TEXTS, encoder=identity)
    return tmp_path / "v"


def test_queries_and_a_new_folder(align, tmp_path, stored, bert_folder):
    made = json.loads(align("augment-queries", "v", "--out", "q.tsv", "--source", "first-sentence").out)
    assert made == {"passages": 3, "queries": 1, "left_out": 2, "out": "q.tsv"}
    assert (tmp_path / "q.tsv").read_text() == "a\tOne.\n"
    shown = json.loads(align("augment", "v", "q.tsv", "--out", "new", "--model", bert_folder, "--alpha", "0.2").out)
    assert (shown["rows"], shown["queries"], shown["passages_without"], shown["alpha"]) == (3, 1, 2, 0.2)
    (before,), (after,) = (list(map(vectors_of, open_vectors(tmp_path / name).tables())) for name in ("v", "new"))
    assert (before != after).any(axis=1).tolist() == [True, False, False]
    np.testing.assert_allclose(np.linalg.norm(after, axis=1), 1, rtol=1e-6)


def test_the_weight_chosen_on_dev(align, tmp_path, stored, bert_folder):
    (tmp_path / "q.tsv").write_text("a\tone\nb\tdef\n")
    (tmp_path / "dev.tsv").write_text("b\tdefdef\n")
    shown = json.loads(
        align("augment", "v", "q.tsv", "-o", "new", "-m", bert_folder, "--dev", "dev.tsv", "-k", "1", "--raw").out
    )
    assert shown["k"] == 1 and shown["unit"] is False and shown["recall"][str(shown["alpha"])] == 1.0
    assert list(shown["recall"]) == sorted(shown["recall"])
    assert open_vectors(tmp_path / "new").manifest["augmentation"]["alpha"] == shown["alpha"]


def test_the_other_sources(align, tmp_path, stored):
    (tmp_path / "d.tsv").write_text("abc\tuvw\n")
    align("augment-queries", "v", "-o", "q.tsv", "--source", "lexicon", "--lexicon", "d.tsv", "--share", "1")
    assert (tmp_path / "q.tsv").read_text() == "b\tuvw def\n"
    made = json.loads(align("augment-queries", "v", "-o", "q.tsv", "--source", "romanized").out)
    assert made["queries"] == 0 and made["left_out"] == 3
    (tmp_path / "c.jsonl").write_text('{"key": "a", "name": "x"}\n')
    columns = ("--column", "name", "--id-column", "key")
    made = json.loads(align("augment-queries", "c.jsonl", "-o", "q.tsv", "--source", "column", *columns).out)
    assert made["queries"] == 1 and (tmp_path / "q.tsv").read_text() == "a\tx\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--source", "titles"), "source must be romanized or first-sentence or lexicon or column, got 'titles'"),
        (("--source", "lexicon"), "source lexicon and a lexicon file go together"),
        (("--source", "romanized", "--lexicon", "d.tsv"), "source lexicon and a lexicon file go together"),
        (("--source", "column", "--language", "eng_Latn"), "source column takes all rows"),
        (("--source", "romanized", "--language", "eng_Latn"), "v has no passage in eng_Latn"),
    ],
)
def test_sources_that_are_refused(align, tmp_path, stored, words, message):
    printed = align("augment-queries", "v", "-o", "q.tsv", *words, code=2)
    assert re.search(f"^align: {re.escape(message)}", printed.err, re.MULTILINE) and not printed.out
    assert not (tmp_path / "q.tsv").exists()


def test_another_encoder_is_refused(align, tmp_path, stored, bert_folder):
    (tmp_path / "q.tsv").write_text("a\tone\n")
    printed = align("augment", "v", "q.tsv", "-o", "new", "-m", bert_folder, "--pooling", "cls", code=2)
    assert "the queries come from another encoder than the index: pooling" in printed.err
    assert not (tmp_path / "new").exists()
    shown = json.loads(align("augment", "v", "q.tsv", "-o", "new", "-m", bert_folder, "--prompt", "abc ").out)
    assert shown["prompt"] == "abc "

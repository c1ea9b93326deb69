"""``align encode --sparse``; ``align search --sparse``, ``--hybrid`` and ``--explain``; the functions behind them."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from conftest import tiny_bert, tiny_tokenizer
from pyarrow.parquet import read_schema
from transformers import BertModel

from align.encoders.checkpoint import load_encoder
from align.errors import InputError
from align.indexes.augment import augment
from align.indexes.search import search
from align.vectors.folder import open_vectors, vectors_of
from align.vectors.sparse import sparse_of, terms_of

TEXTS = ["αβγ δε", "ζηθ", "abg de", "ζηθ ι", "κλμ", "xyz"]


@pytest.fixture
def encoded(align, bert_folder, tmp_path):
    """The folder of their vectors, in two parts."""
    (tmp_path / "t.tsv").write_text("id\ttext\n" + "".join(f"t{i}\t{text}\n" for i, text in enumerate(TEXTS)))
    align("encode", bert_folder, tmp_path / "t.tsv", "--out", tmp_path / "v", "--sparse", "--part-rows", 4)
    return tmp_path / "v"


def test_both_are_in_one_folder(encoded, bert_folder):
    vectors, encoder = open_vectors(encoded), load_encoder(bert_folder)
    assert len(vectors.manifest["parts"]) == 2 and vectors.columns == ()
    terms = terms_of(vectors)
    assert terms[5] == "a" and len(terms) == vectors.manifest["sparse"]["terms"] == 56
    sparse = np.concatenate([sparse_of(table, 56).toarray() for table in vectors.tables()])
    dense = np.concatenate([vectors_of(table) for table in vectors.tables()])
    np.testing.assert_allclose(sparse, encoder.sparse(TEXTS).toarray(), atol=1e-6)
    np.testing.assert_allclose(dense, encoder.encode(TEXTS), atol=1e-6)
    assert read_schema(encoded / "part-00000.parquet").names[-2:] == ["sparse_terms", "sparse_weights"]


def test_a_run_goes_on_and_a_lost_part_is_made_again(align, encoded, bert_folder, tmp_path):
    again = ("encode", bert_folder, tmp_path / "t.tsv", "--out", encoded, "--sparse", "--part-rows", 4)
    before = (encoded / "part-00001.parquet").read_bytes()
    (encoded / "part-00001.parquet").unlink()
    (encoded / "terms.json").unlink()
    align(*again)
    assert (encoded / "part-00001.parquet").read_bytes() == before
    assert len(terms_of(open_vectors(encoded))) == 56


def test_sparse_search_explains_its_hits(align, encoded, bert_folder):
    encoder = load_encoder(bert_folder)
    found = search(encoded, encoder, ["ζηθ"], 6, sparse=True, explain=True)[0]
    rows, query = encoder.sparse(TEXTS).toarray(), encoder.sparse(["ζηθ"]).toarray()[0]
    assert found[0].id == "t1" and found[0].score == pytest.approx(float(query @ rows[1]), abs=1e-5)
    for hit in found:
        assert sum(hit.terms.values()) == pytest.approx(hit.score, abs=1e-5)
    printed = align("search", bert_folder, encoded, "ζηθ", "-k", 2, "--sparse", "--explain").out
    assert "1. " in printed and re.search(r"^     \S+ 0\.\d{3}, ", printed, re.MULTILINE)
    (line, *_) = align("search", bert_folder, encoded, "ζηθ", "-k", 2, "--explain", "--json").out.splitlines()
    assert json.loads(line)["terms"] == pytest.approx(found[0].terms, abs=1e-5)


@pytest.mark.parametrize("hybrid", ["rrf", "0.25", "0", "1"])
def test_hybrids(align, encoded, bert_folder, hybrid):
    encoder = load_encoder(bert_folder)
    sparse = encoder.sparse(["ζηθ"]).toarray()[0] @ encoder.sparse(TEXTS).toarray().T
    dense = encoder.encode(["ζηθ"])[0] @ encoder.encode(TEXTS).T
    if hybrid == "rrf":
        ranks = [np.argsort(np.argsort(-one)) + 1 for one in (sparse, dense)]
        there = [sparse > 0, dense > -2]
        expected = sum(np.where(here, 1 / (60 + rank), 0) for here, rank in zip(there, ranks, strict=True))
    else:
        expected = float(hybrid) * sparse + (1 - float(hybrid)) * dense
    found = search(encoded, encoder, ["ζηθ"], 6, hybrid=hybrid)[0]
    scores = {hit.id: hit.score for hit in found}
    assert scores == pytest.approx({f"t{i}": expected[i] for i in range(6) if f"t{i}" in scores}, abs=1e-5)
    assert [hit.id for hit in found] == [f"t{i}" for i in sorted(range(6), key=lambda i: -expected[i])][: len(found)]
    printed = align("search", bert_folder, encoded, "ζηθ", "--hybrid", hybrid, "-k", 1).out
    assert found[0].id in printed


def test_the_weight_is_fitted_on_dev_queries(encoded, bert_folder, tmp_path, caplog):
    (tmp_path / "dev.tsv").write_text("t1\tζηθ\nt5\txyz\n")
    with caplog.at_level("INFO"):
        found = search(encoded, load_encoder(bert_folder), ["xyz"], 1, hybrid=tmp_path / "dev.tsv")
    assert found[0][0].id == "t5"
    assert re.search(r"weight of the sparse scores 0\.\d\d: recall@1 of 2 dev queries 1\.000", caplog.text)
    (tmp_path / "dev.tsv").write_text("t9\tζηθ\n")
    with pytest.raises(InputError, match=r"dev\.tsv, line 1: .* has no passage 't9'"):
        search(encoded, load_encoder(bert_folder), ["xyz"], hybrid=str(tmp_path / "dev.tsv"))


def test_augmented_vectors_keep_them(encoded, bert_folder, tmp_path):
    (tmp_path / "q.tsv").write_text("t1\tζηθ\n")
    made = augment(encoded, tmp_path / "q.tsv", tmp_path / "a", encoder=load_encoder(bert_folder))
    assert terms_of(made) == terms_of(open_vectors(encoded))
    assert made.part(0)["sparse_weights"].equals(open_vectors(encoded).part(0)["sparse_weights"])


def test_what_is_refused(align, encoded, bert_folder, tmp_path):
    texts = tmp_path / "t.tsv"
    BertModel(tiny_bert().config).save_pretrained(tmp_path / "headless")
    tiny_tokenizer().save_pretrained(tmp_path / "headless")
    done = align("encode", tmp_path / "headless", texts, "--out", tmp_path / "w", "--sparse", code=2)
    assert "comes without a masked-LM head, which mlm, tlm, switched_mlm, cloze and sparse vectors need" in done.err
    assert not (tmp_path / "w" / "manifest.json").exists()
    align("encode", bert_folder, texts, "--out", tmp_path / "dense")
    for words, message in (
        ((tmp_path / "dense", "a", "--sparse"), "has no sparse vectors"),
        ((encoded, "a", "--hybrid", "1.5"), "must be in 0..1, got 1.5"),
        ((encoded, "a", "--hybrid", "most"), "hybrid is rrf, a weight in 0..1 or a file of dev queries"),
        ((encoded, "a", "--sparse", "--ef", 4), "sparse search is exact"),
        ((encoded, "a", "--sparse", "-k", 0), "k must be at least 1, got 0"),
    ):
        assert message in align("search", bert_folder, *words, code=2).err

"""What an older encoder indexed and exported is searched with two encoders as one, in FAISS and in an engine itself."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import tiny_bert, tiny_tokenizer
from toy import greek, words

from align import encode, export, index, load_encoder, route, search, verify_export

LATIN = sorted({*words(60)})
GREEK = greek(LATIN)


@pytest.fixture
def place(tmp_path, bert_folder):
    """Vectors by an encoder of which romanised text knew nothing, and the two encoders of today."""
    tiny_bert(seed=1).save_pretrained(tmp_path / "tower")
    tiny_tokenizer().save_pretrained(tmp_path / "tower")
    (tmp_path / "ell_Grek.txt").write_text("\n".join(GREEK) + "\n", encoding="utf-8")
    encode(str(bert_folder), [tmp_path / "ell_Grek.txt"], tmp_path / "old")
    route(bert_folder, tmp_path / "tower", tmp_path / "today", languages=["ell_Latn"])
    return tmp_path


def test_by_faiss(place):
    pytest.importorskip("faiss")
    index(place / "old", place / "index", factory="HNSW16")
    before = search(place / "index", str(place / "bert"), GREEK, k=1)
    assert search(place / "index", str(place / "today"), GREEK, k=1, query_language="ell_Grek") == before
    assert [of[0].text for of in before] == GREEK
    tower, old = load_encoder(place / "tower").encode(LATIN), load_encoder(place / "bert").encode(GREEK)
    found = search(place / "index", str(place / "today"), LATIN, k=1, query_language="ell_Latn")
    right = (tower @ old.T).max(axis=1)
    assert [of[0].score for of in found] == pytest.approx(right, abs=1e-4)


def test_in_an_engine(place):
    lancedb = pytest.importorskip("lancedb", reason="needs lancedb")
    export(place / "old", "lance", str(place / "lance"))
    assert verify_export(place / "old", "lance", str(place / "lance"))["passed"]
    table = lancedb.connect(place / "lance").open_table("align")
    today, old = load_encoder(place / "today"), load_encoder(place / "bert").encode(GREEK)
    for texts, code in ((GREEK, "ell_Grek"), (LATIN, "ell_Latn")):
        for vector in today.encode(texts, language=code)[:10]:
            (hit,) = table.search(vector).distance_type("dot").limit(1).to_list()
            assert old[GREEK.index(hit["text"])] @ vector == pytest.approx(np.max(old @ vector), abs=1e-5)

"""Vectors carried over to another encoder: the map, what is measured of it, and what is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
from conftest import tiny_bert, tiny_tokenizer
from toy import words

from align import index, load_encoder, save_vectors, search, upgrade_index
from align.errors import InputError
from align.mapping.ridge import ridge
from align.vectors.folder import open_vectors, vectors_of

N, D = 300, 12


class Known:
    """An encoder whose vectors are known, by text."""

    def __init__(self, vectors, texts, name="new"):
        self.place = {text: i for i, text in enumerate(texts)}
        self.vectors, self.name, self.asked = vectors, name, []

    def encode(self, texts, *, language, progress):
        assert len(language) == len(texts)
        self.asked += texts
        return self.vectors[[self.place[text] for text in texts]]

    def identity(self):
        return {"fingerprint": self.name, "unit": True, "prompt": ""}


def unit(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


@pytest.fixture
def drawn():
    """Old vectors, and what an orthogonal map makes of them."""
    rng = np.random.default_rng(0)
    old = unit(rng.normal(size=(N, D))).astype(np.float32)
    turn = np.linalg.qr(rng.normal(size=(D, D)))[0]
    return old, (old @ turn).astype(np.float32)


@pytest.fixture
def texts():
    return [f"text {i}" for i in range(N)]


@pytest.fixture
def stored(tmp_path, drawn, texts):
    old = {"fingerprint": "old", "unit": True, "prompt": ""}
    languages = ["eng_Latn"] * N
    return save_vectors(tmp_path / "old", texts, drawn[0], texts=texts, encoder=old, languages=languages, part_rows=70)


@pytest.mark.parametrize(("n", "d", "e", "penalty"), [(30, 4, 3, 1e-3), (5, 4, 6, 0.5), (1, 2, 2, 1.0), (3, 5, 1, 10)])
def test_ridge_solves_its_normal_equations(n, d, e, penalty):
    rng = np.random.default_rng(n)
    x, y = rng.normal(size=(n, d)) + 3, rng.normal(size=(n, e))
    found = ridge(x, y, penalty=penalty)
    mx, my = [sum(row for row in side) / n for side in (x, y)]
    square, cross = np.zeros((d, d)), np.zeros((d, e))
    for a, b in zip(x, y, strict=True):
        square += np.outer(a - mx, a - mx)
        cross += np.outer(a - mx, b - my)
    size = penalty * (sum(square[i, i] for i in range(d)) / d or 1)
    assert square @ found.w + size * found.w == pytest.approx(cross, abs=1e-9)
    assert found(mx[None]) == pytest.approx(my[None], abs=1e-9)  # means go to means


def test_ridge_by_hand():
    found = ridge([[0.0], [2.0]], [[0.0], [4.0]], penalty=1.0)  # square 2, cross 4, penalty 2: w = 4 / 4
    assert (found.w.tolist(), found.b.tolist()) == ([[1.0]], [1.0])
    for wrong, message in (
        (([[1.0]], [[1.0], [2.0]]), "as many vectors on both sides"), (([[np.nan]], [[1.0]]), "holds NaN or Inf"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=message):
            ridge(*wrong)
    with pytest.raises(InputError, match="penalty must be above 0, got 0"):
        ridge([[1.0]], [[1.0]], penalty=0)


@pytest.mark.parametrize("method", ["ridge", "procrustes"])
def test_a_turned_space_is_found_again(method, stored, drawn, texts, tmp_path):
    encoder = Known(drawn[1], texts)
    made = upgrade_index(tmp_path / "old", encoder, tmp_path / "new", method=method, rows=100, held_out=50)
    vectors = np.concatenate([vectors_of(table) for table in made.tables()])
    assert vectors == pytest.approx(drawn[1], abs=2e-3 if method == "ridge" else 1e-5)
    assert len(set(encoder.asked)) == len(encoder.asked) == 150  # no more is read, none twice
    about = made.manifest["upgrade"]
    assert (about["learnt_on"], about["held_out"], about["from"]["fingerprint"]) == (100, 50, "old")
    assert about["recall"] > 0.97 and about["itself"] == 1 and about["unmapped"] < 0.5
    assert made.encoder == encoder.identity()
    kept = [table.drop_columns("vector") for table in stored.tables()]
    assert [table.drop_columns("vector") for table in made.tables()] == kept
    assert [one["rows"] for one in made.manifest["parts"]] == [70, 70, 70, 70, 20]
    again = upgrade_index(tmp_path / "old", encoder, tmp_path / "new", method=method, rows=100, held_out=50)
    assert again.manifest == made.manifest


def test_what_is_measured_is_recall_of_others_by_loops(drawn, texts, stored, tmp_path):
    rng = np.random.default_rng(1)
    new = unit(drawn[1] + 0.3 * rng.normal(size=(N, D))).astype(np.float32)
    made = upgrade_index(tmp_path / "old", Known(new, texts), tmp_path / "new", rows=200, held_out=100, floor=0)
    order = np.random.default_rng(0).permutation(N)
    held, learnt = order[200:], order[:200]
    affine = ridge(drawn[0][learnt], new[learnt])
    mapped = unit(affine(drawn[0]))
    recalls, itself = [], []
    for i in held:
        others = [j for j in held if j != i]
        right = sorted(others, key=lambda j: -(new[i] @ new[j]))[:10]
        found = sorted(others, key=lambda j: -(new[i] @ mapped[j]))[:10]
        recalls.append(len({*right} & {*found}) / 10)
        itself.append(sum(new[i] @ mapped[j] > new[i] @ mapped[i] for j in others) < 10)
    about = made.manifest["upgrade"]
    assert about["recall"] == pytest.approx(np.mean(recalls)) and 0.2 < about["recall"] < 0.95
    assert about["itself"] == pytest.approx(np.mean(itself))


def test_below_the_floor_nothing_is_written(stored, drawn, texts, tmp_path):
    noise = unit(np.random.default_rng(2).normal(size=(N, D))).astype(np.float32)
    with pytest.raises(InputError, match=r"recall@10 of the mapped rows is 0\.\d{4}, below the floor 0.95: encode"):
        upgrade_index(tmp_path / "old", Known(noise, texts), tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_another_width(stored, drawn, texts, tmp_path):
    wide = np.concatenate([drawn[1], drawn[1][:, :3]], axis=1)
    made = upgrade_index(tmp_path / "old", Known(wide, texts), tmp_path / "new", rows=150, held_out=100)
    assert made.dimension == 15 and made.manifest["upgrade"]["recall"] > 0.95
    assert "unmapped" not in made.manifest["upgrade"]
    with pytest.raises(InputError, match="procrustes maps 12 dimensions to as many, not to 15: take ridge"):
        upgrade_index(tmp_path / "old", Known(wide, texts), tmp_path / "x", method="procrustes")


def test_what_is_refused(stored, drawn, texts, tmp_path):
    new, old = Known(drawn[1], texts), tmp_path / "old"

    def refused(message, *, folder=old, encoder=new, **options):
        with pytest.raises(InputError, match=message):
            upgrade_index(folder, encoder, tmp_path / "x", **options)
        assert not (tmp_path / "x").exists()

    refused("unknown method 'svd': expected ridge or procrustes", method="svd")
    refused("floor is a share from 0 to 1, got 2", floor=2)
    refused("more than 10 held out, got 5 and 10", rows=5, held_out=10)
    refused("made by this encoder: there is nothing to upgrade", encoder=Known(drawn[1], texts, "old"))
    upgrade_index(old, new, tmp_path / "new")
    refused("upgraded already", folder=tmp_path / "new", encoder=Known(drawn[1], texts, "newer"))
    about = {"encoder": {"fingerprint": "old"}, "texts": texts}
    save_vectors(tmp_path / "bare", texts, drawn[0], **about, store_texts=False)
    refused("has no texts: the new encoder needs those of some rows", folder=tmp_path / "bare")
    save_vectors(tmp_path / "few", texts[:30], drawn[0][:30], encoder={"fingerprint": "old"}, texts=texts[:30])
    refused("has 30 rows: expected 40 at least", folder=tmp_path / "few")
    save_vectors(
        tmp_path / "roman", texts, drawn[0], texts=texts, encoder={"fingerprint": "o", "romanizer": "uroman 1"}
    )
    refused("of romanised texts, and has the native ones", folder=tmp_path / "roman")


def test_a_run_that_was_stopped_goes_on(stored, drawn, texts, tmp_path, monkeypatch):
    from align.mapping import upgrade

    write, seen = upgrade.write_part, []

    def stops(out, number, table):
        if number == 2:
            raise KeyboardInterrupt
        write(out, number, table)

    monkeypatch.setattr(upgrade, "write_part", stops)
    with pytest.raises(KeyboardInterrupt):
        upgrade_index(tmp_path / "old", Known(drawn[1], texts), tmp_path / "new")
    with pytest.raises(InputError, match="is not complete"):
        open_vectors(tmp_path / "new")
    monkeypatch.setattr(
        upgrade, "write_part", lambda out, number, table: (seen.append(number), write(out, number, table))
    )
    made = upgrade_index(tmp_path / "old", Known(drawn[1], texts), tmp_path / "new")
    assert seen == [2, 3, 4] and made.rows == N


def test_from_the_command_line_to_an_index_and_an_export(align, bert_folder, tmp_path):
    texts = sorted({*words(120)})
    tiny_bert(seed=1).save_pretrained(tmp_path / "newer")
    tiny_tokenizer().save_pretrained(tmp_path / "newer")
    old, new = load_encoder(bert_folder), load_encoder(tmp_path / "newer")
    ids = [str(i) for i in range(len(texts))]
    save_vectors(tmp_path / "v", ids, old.encode(texts), texts=texts, encoder=old.identity())
    arguments = ("upgrade-index", "v", "--model", "newer", "--out", "up")
    assert "below the floor 0.95" in align(*arguments, "--floor", ".95", code=2).err
    printed = json.loads(align(*arguments, "--floor", "0").out)
    assert printed["rows"] == len(texts) and printed["recall"] > printed["unmapped"]
    index(tmp_path / "up", tmp_path / "i")
    hits = search(tmp_path / "i", new, texts[:5], k=len(texts))
    assert all(text in {hit.text for hit in of} for text, of in zip(texts[:5], hits, strict=True))
    with pytest.raises(InputError, match="another encoder than the index"):
        search(tmp_path / "i", old, texts[:1])
    align("export", "up", "npy", "out")
    align("verify-export", "up", "npy", "out", "--queries", "5")

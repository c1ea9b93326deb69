"""A lexical head: what it learns, against a training by hand; its folder, its encoder and its verb."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from conftest import tiny_bert, tiny_tokenizer
from sentence_transformers import SentenceTransformer

from align import InputError, load_encoder, route, save_encoder, word_head
from align.encoders.offsets.folder import open_head
from align.mapping import word_head as module
from align.mapping.lexical_head import HeadOptions, lexical_head
from align.mapping.word_head import for_words, with_shared_map
from align.pairs.synonyms import synonym_pairs


def turned(n=60, width=8, seed=0):
    """Two vocabularies: the second is the first, turned and moved; row i translates row i."""
    draw = np.random.default_rng(seed)
    x = draw.standard_normal((n, width))
    turn, _ = np.linalg.qr(np.eye(width) + 0.5 * draw.standard_normal((width, width)))
    y = x @ turn + 3
    return {"aaa_Latn": x.astype(np.float32), "bbb_Latn": y.astype(np.float32)}


def p1(fit, vectors):
    a, b = (fit(vectors[code], code) for code in vectors)
    a, b = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (a, b))
    return float(((a @ b.T).argmax(1) == np.arange(len(a))).mean())


IDENTITY = np.arange(30).repeat(2).reshape(-1, 2)


def test_it_learns_words_that_no_pair_has():
    vectors = turned()
    pairs = {("aaa_Latn", "bbb_Latn"): IDENTITY}
    options = HeadOptions(steps=60, batch=30, rate=0.02)
    fit = lexical_head(vectors, pairs, options)
    untrained = lexical_head(vectors, pairs, HeadOptions(steps=1, rate=1e-12))
    assert p1(untrained, vectors) < 0.3 and p1(fit, vectors) > 0.9  # half of the words are in no pair
    assert fit.losses[-1] < 0.5 * fit.losses[0]
    again = lexical_head(vectors, pairs, options)
    assert all(np.array_equal(fit.own[code], again.own[code]) for code in vectors)


def test_the_first_step_by_hand():
    """At D = 0 Adam moves each number by the rate against the sign of its gradient; both maps move."""
    vectors = turned(n=4, width=3)
    pairs = {("aaa_Latn", "bbb_Latn"): np.array([[0, 1], [2, 3]])}
    fit = lexical_head(vectors, pairs, HeadOptions(steps=1, rate=1e-3, batch=9))
    directions = []
    x, y = (torch.tensor(vectors[code] - vectors[code].mean(0), dtype=torch.float64) for code in vectors)
    for source, target, golds in ((x, y, [(0, 1), (2, 3)]), (y, x, [(1, 0), (3, 2)])):
        maps = [torch.eye(3, dtype=torch.float64, requires_grad=True) for _ in range(2)]
        queries, candidates = (
            torch.nn.functional.normalize(z @ w, dim=1) for z, w in zip((source, target), maps, strict=True)
        )
        loss = -sum(torch.log_softmax(candidates @ queries[i] / 0.05, dim=0)[j] for i, j in golds) / 2
        loss.backward()
        directions.append([w.grad.numpy() for w in maps])
    forward, backward = directions[0], directions[1][::-1]
    moved = [fit.own[code] - fit.shared for code in vectors]
    ways = [
        all(np.allclose(m, -1e-3 * np.sign(g), atol=2e-5) for m, g in zip(moved, way, strict=True))
        for way in (forward, backward)
    ]
    assert sum(ways) == 1  # one of the two directions was drawn
    way = forward if ways[0] else backward
    assert np.allclose(fit.shared - np.eye(3), -1e-3 * np.sign(way[0] + way[1]), atol=2e-5)


def test_one_map_of_all_languages():
    vectors = turned()
    fit = lexical_head(vectors, {("aaa_Latn", "bbb_Latn"): IDENTITY}, HeadOptions(own_maps=False, steps=5))
    assert not fit.own and not np.array_equal(fit.shared, np.eye(8))
    rows = fit(vectors["aaa_Latn"], "aaa_Latn")
    assert np.allclose(rows, (vectors["aaa_Latn"] - vectors["aaa_Latn"].mean(0)) @ fit.shared, atol=1e-5)


def test_shared_steps_move_no_map_of_a_language():
    vectors = turned()
    fit = lexical_head(vectors, {("aaa_Latn", "bbb_Latn"): IDENTITY}, HeadOptions(shared_share=1.0, steps=5))
    assert all(np.array_equal(one, fit.shared) for one in fit.own.values())


def test_an_unknown_language_goes_through_the_shared_map():
    vectors = turned() | {"ccc_Latn": np.ones((2, 8), dtype=np.float32)}
    fit = lexical_head(vectors, {("aaa_Latn", "bbb_Latn"): IDENTITY}, HeadOptions(steps=3))
    assert set(fit.offsets) == set(vectors) and set(fit.own) == {"aaa_Latn", "bbb_Latn"}
    assert np.allclose(fit(vectors["ccc_Latn"], "ccc_Latn"), 0, atol=1e-6)  # its own mean is all it is
    mean = np.mean([x.mean(0) for x in vectors.values()], axis=0)
    x = vectors["aaa_Latn"]
    assert np.allclose(fit(x, "xyz_Latn"), (x - mean) @ fit.shared, atol=1e-5)


@pytest.mark.parametrize(
    ("pairs", "sentence"),
    [
        ({}, "no pair of words"),
        ({("aaa_Latn", "zzz_Latn"): IDENTITY}, "no vectors of zzz_Latn"),
        ({("aaa_Latn", "bbb_Latn"): np.array([[0, 60]])}, "rows up to 60 of the 60 of bbb_Latn"),
    ],
)
def test_bad_pairs(pairs, sentence):
    with pytest.raises(InputError, match=sentence):
        lexical_head(turned(), pairs)


def test_bad_vectors_and_options():
    vectors = turned()
    with pytest.raises(InputError, match="different dimensions"):
        lexical_head({**vectors, "bbb_Latn": np.ones((60, 3), dtype=np.float32)}, {("aaa_Latn", "bbb_Latn"): IDENTITY})
    with pytest.raises(InputError, match="loss of step 1 is nan"):
        lexical_head(vectors | {"aaa_Latn": vectors["aaa_Latn"] * np.nan}, {("aaa_Latn", "bbb_Latn"): IDENTITY})
    for bad in ({"steps": 0}, {"rate": float("nan")}, {"shared_share": 2}, {"alpha": -1}):
        with pytest.raises(InputError, match="a head needs"):
            HeadOptions(**bad)


LATIN = ["abc", "bad", "cab", "dab", "fed", "gab", "had", "jab", "lad", "mad", "nab", "pad"]
GREEK = ["".join(chr(0x3B1 + ord(c) - 97) for c in word) for word in LATIN]


@pytest.fixture
def place(tmp_path):
    """Dictionaries, of two languages one with two translations of a word, and word lists, one of an unseen language."""
    lines = [f"{a}\t{b}" for a, b in zip(LATIN[:8], GREEK[:8], strict=True)] + [f"abc\t{GREEK[8]}"]
    (tmp_path / "eng_Latn-ell_Grek.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (tmp_path / "lists").mkdir()
    for code, words in {"eng_Latn": LATIN, "ell_Grek": GREEK, "deu_Latn": ["Eins", "zwo"]}.items():
        (tmp_path / "lists" / f"{code}.txt").write_text("\n".join(words) + "\n", encoding="utf-8")
    return tmp_path


VOCABULARIES = {"eng_Latn": LATIN, "ell_Grek": GREEK, "deu_Latn": ["eins", "zwo"]}
QUICK = HeadOptions(steps=4, batch=4, rate=1e-2)


def made(place, bert_folder, **given):
    return word_head(
        bert_folder, place / "eng_Latn-ell_Grek.tsv", place / "head", vocabularies=VOCABULARIES, options=QUICK,
        prompt="q ", **given,
    )  # fmt: skip


def raw(bert_folder, words):
    """[last ; mean of layers] of the tokens that are no special ones, as unit vectors, a word at a time."""
    encoder = load_encoder(bert_folder)
    rows = []
    for word in words:
        ids = encoder.tokenizer(["q " + word], return_tensors="pt")["input_ids"]
        with torch.no_grad():
            states = encoder.body(ids, output_hidden_states=True).hidden_states
        vector = torch.cat([states[-1][0, 1:-1].mean(0), (sum(states) / len(states))[0, 1:-1].mean(0)])
        rows.append((vector / vector.norm()).numpy())
    return np.stack(rows).astype(np.float64)


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_the_encoder_with_a_head_by_hand(place, bert_folder):
    head = made(place, bert_folder)
    assert head.manifest["maps"] == ["ell_Grek", "eng_Latn"] and head.manifest["rows"] == [
        "deu_Latn",
        "ell_Grek",
        "eng_Latn",
    ]
    assert head.manifest["pairs"] == {"eng_Latn-ell_Grek": 9}
    encoder = load_encoder(bert_folder, prompt="q ", head=place / "head")
    assert encoder.dimension == 32
    greek = raw(bert_folder, GREEK)
    assert np.allclose(head.rows[1], greek.mean(0), atol=1e-6)
    expected = unit((greek - head.rows[1]) @ head.maps[1])
    assert np.allclose(encoder.encode(GREEK, language="ell_Grek"), expected, atol=1e-5)
    assert np.allclose(encoder.encode(GREEK), expected, atol=1e-5)  # by its script
    german = unit((raw(bert_folder, ["eins"]) - head.rows[0]) @ head.maps[0])  # its own mean, the map of all
    assert np.allclose(encoder.encode(["eins"], language="deu_Latn"), german, atol=1e-5)
    stranger = unit((raw(bert_folder, ["uno"]) - head.rows.mean(0)) @ head.maps[0])
    assert np.allclose(encoder.encode(["uno"], language="ita_Latn"), stranger, atol=1e-5)
    assert np.allclose(
        encoder.encode(["uno"], raw=True) / np.linalg.norm(encoder.encode(["uno"], raw=True)),
        raw(bert_folder, ["uno"]),
        atol=1e-5,
    )
    assert encoder.identity()["offsets"]["method"] == "head"


def test_the_shared_map_is_a_plain_dense(place, bert_folder):
    head = made(place, bert_folder, save=place / "whole")
    plain = SentenceTransformer(str(place / "whole"), device="cpu")
    words = [*LATIN, *GREEK, "eins"]
    found = plain.encode(words, show_progress_bar=False)
    expected = unit((raw(bert_folder, words) - head.rows.mean(0)) @ head.maps[0])
    assert np.abs(found - expected).max() < 1e-5
    again = load_encoder(place / "whole")
    assert np.abs(again.encode(words) - expected).max() < 1e-5 and again.dimension == 32
    save_encoder(again, place / "twice")
    assert load_encoder(place / "twice").identity() == again.identity()


@pytest.mark.parametrize("unit_length", [True, False])
def test_the_mean_of_layers_behind_a_layer_is_saved_plain(bert_folder, tmp_path, unit_length):
    for layer in (None, 1):
        encoder = load_encoder(bert_folder, layer=layer, special_tokens=False)
        encoder = for_words(encoder)
        encoder.unit = unit_length
        save_encoder(encoder, tmp_path / "out")
        plain = SentenceTransformer(str(tmp_path / "out"), device="cpu").encode(LATIN, show_progress_bar=False)
        assert plain.shape == (12, 32)
        assert np.abs(plain - encoder.encode(LATIN)).max() < 1e-5
        assert load_encoder(tmp_path / "out").identity() == encoder.identity()


def test_each_encoder_has_its_own_head(place, bert_folder):
    made(place, bert_folder)
    with pytest.raises(InputError, match="another encoder: prompt"):
        load_encoder(bert_folder, head=place / "head")
    with pytest.raises(InputError, match="another encoder: pooling"):
        load_encoder(bert_folder, prompt="q ", special_tokens=True, head=place / "head")
    with pytest.raises(InputError, match="got both"):
        load_encoder(bert_folder, prompt="q ", head=place / "head", offsets=place / "head")
    encoder = load_encoder(bert_folder, prompt="q ", head=place / "head")
    with pytest.raises(InputError, match="a saved encoder takes no offsets off"):
        save_encoder(encoder, place / "saved")
    with pytest.raises(InputError, match="takes offsets off"):
        for_words(encoder)
    with pytest.raises(InputError, match="modules after its pooling"):
        for_words(with_shared_map(for_words(bert_folder, prompt="q "), open_head(place / "head")))
    maps = place / "head" / "maps.npy"
    maps.write_bytes(maps.read_bytes()[:-1] + b"\x7f")
    with pytest.raises(InputError, match=r"maps\.npy is damaged"):
        open_head(place / "head")


def test_rounded_weights_are_not_saved(place, bert_folder):
    with pytest.raises(InputError, match="save it without bf16"):
        made(place, bert_folder, save=place / "whole", bf16=True)
    assert not (place / "whole").exists() and not (place / "head").exists()


def test_words_of_a_test_set_are_in_no_pair(place, bert_folder):
    (place / "test").mkdir()
    (place / "test" / "eng_Latn-ell_Grek.tsv").write_text(f"bad\t{GREEK[5]}\n", encoding="utf-8")
    head = made(place, bert_folder, exclude=[place / "test"])
    assert head.manifest["pairs"] == {"eng_Latn-ell_Grek": 7}
    assert head.manifest["rejects"]["in a test set"] == 2


def test_a_table_is_a_source_too(place, bert_folder):
    synonym_pairs(place / "eng_Latn-ell_Grek.tsv", place / "pairs")
    one = word_head(bert_folder, place / "pairs", place / "one", vocabularies=VOCABULARIES, options=QUICK, prompt="q ")
    two = made(place, bert_folder)
    assert np.array_equal(one.maps, two.maps)
    with pytest.raises(InputError, match="is a table already"):
        word_head(bert_folder, place / "pairs", place / "one", exclude=["x"])


def test_words_without_a_list_are_candidates(place, bert_folder):
    head = word_head(bert_folder, place / "eng_Latn-ell_Grek.tsv", place / "head", options=QUICK)
    assert {code: of["words"] for code, of in head.manifest["languages"].items()} == {"ell_Grek": 9, "eng_Latn": 8}
    vectors = for_words(bert_folder).encode(GREEK[:9])
    assert np.allclose(head.rows[0], vectors.mean(0), atol=1e-6)


def test_pairs_within_a_language_are_left_out(place, bert_folder, caplog):
    (place / "eng_Latn-eng_Latn.tsv").write_text("abc\tbad\n", encoding="utf-8")
    _, pairs, counts = module._words([place / "eng_Latn-ell_Grek.tsv", place / "eng_Latn-eng_Latn.tsv"], {}, (), True)
    assert list(pairs) == [("eng_Latn", "ell_Grek")] and counts["within_a_language"] == 1
    assert "1 pairs of two words of one language" in caplog.text


def test_the_verb_and_its_users(align, place, bert_folder):
    (place / "test.tsv").write_text(
        "".join(f"{a}\t{b}\n" for a, b in zip(LATIN[8:], GREEK[8:], strict=True)), encoding="utf-8"
    )
    printed = json.loads(align(
        "head", "words", bert_folder, "eng_Latn-ell_Grek.tsv", "--vocabulary", "lists", "--out", "head", "--steps", "3",
        "--save", "whole",
    ).out)  # fmt: skip
    assert printed["pairs"] == 9 and printed["maps"] == ["ell_Grek", "eng_Latn"] and printed["method"] == "head"
    assert printed["languages"]["deu_Latn"] == {"words": 2, "listed": 2}
    words = ["bli=eng_Latn-ell_Grek=test.tsv", "--set", "vocabulary=lists", "--no-cache", "--json"]
    found = json.loads(align("eval", bert_folder, "--head", "head", *words).out)
    assert found["encoder"]["offsets"] == {"method": "head", "fingerprint": printed["fingerprint"]}
    plain = json.loads(align("eval", bert_folder, *words).out)
    assert "offsets" not in plain["encoder"] and plain["encoder"]["pooling"] != found["encoder"]["pooling"]
    align("encode", bert_folder, "lists/ell_Grek.txt", "--head", "head", "--out", "vectors")
    hits = align(
        "search", bert_folder, "vectors", "abc", "--head", "head", "--query-language", "eng_Latn", "-k", "1"
    ).out
    assert "1. " in hits
    assert "offsets" in align("search", bert_folder, "vectors", "abc", code=2).err
    assert "holds offsets by centre, no head" in _wrong_kind(align, bert_folder)


def _wrong_kind(align, bert_folder):
    align("offsets", bert_folder, "--text", "lists/ell_Grek.txt", "--out", "centre")
    return align("eval", bert_folder, "--head", "centre", "sts=x.tsv", code=2).err


def test_on_an_encoder_with_another_for_romanised_text(place, bert_folder, tmp_path):
    """Both read words for the head: native ones as without the route, romanised ones by the other encoder."""
    tiny_bert(seed=1).save_pretrained(tmp_path / "tower")
    tiny_tokenizer().save_pretrained(tmp_path / "tower")
    tower = load_encoder(tmp_path / "tower", prompt="q ")
    route(bert_folder, tower, tmp_path / "both", languages=["ell_Latn"], prompt="q ")
    made(place, bert_folder)
    head = word_head(
        tmp_path / "both", place / "eng_Latn-ell_Grek.tsv", tmp_path / "over", vocabularies=VOCABULARIES, options=QUICK
    )
    plain = load_encoder(bert_folder, head=place / "head", prompt="q ")
    both = load_encoder(tmp_path / "both", head=tmp_path / "over")
    assert np.allclose(both.encode(GREEK, language="ell_Grek"), plain.encode(GREEK, language="ell_Grek"), atol=1e-5)
    moved = (raw(tmp_path / "tower", LATIN) - head.rows.mean(axis=0)) @ head.maps[0]  # no language of the head
    found = both.encode(LATIN, language="ell_Latn")
    assert np.allclose(found, moved / np.linalg.norm(moved, axis=1, keepdims=True), atol=1e-5)

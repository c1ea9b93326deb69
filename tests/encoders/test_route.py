"""Two encoders as one: romanised text of the named languages by the second, all other to the bit as by the first."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from conftest import tiny_bert, tiny_tokenizer
from sentence_transformers import SentenceTransformer
from toy import table

from align import index, load_encoder, load_recipe, offsets, route, save_encoder, save_vectors, search, train
from align.encoders.backends import load_backend
from align.encoders.layers import encode_layers
from align.encoders.route import Route
from align.errors import InputError
from align.indexes.index import load_index

GREEK, LATIN = ["αβγ", "δε ζ", "η", "θικλ"], ["abg", "de z", "i", "thikl"]


@pytest.fixture
def native(bert_folder):
    return load_encoder(bert_folder)


@pytest.fixture
def tower(tmp_path):
    """Another encoder of the same shape."""
    folder = tmp_path / "tower"
    tiny_bert(seed=1).save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    return load_encoder(folder)


@pytest.fixture
def both(native, tower, tmp_path):
    return route(native, tower, tmp_path / "both", languages=["ell_Latn", "rus_Latn"])


def test_native_text_keeps_its_vectors_to_the_bit(both, native, tower):
    mixed = [text for pair in zip(GREEK, LATIN, strict=True) for text in pair]
    found = both.encode(mixed, language="ell_Latn")
    assert np.array_equal(found[::2], native.encode(GREEK))  # whatever is said, and whatever stands beside them
    assert np.array_equal(found[1::2], tower.encode(LATIN))
    assert np.array_equal(both.encode(LATIN), native.encode(LATIN))  # no language is given
    assert not np.array_equal(native.encode(LATIN), tower.encode(LATIN))


@pytest.mark.parametrize(
    ("text", "language", "right"),
    [
        ("abg", "ell_Latn", True), ("abg", "ell_Grek", True), ("abg", "ell", True), ("αβγ", "ell_Latn", False),
        ("abγ", "ell_Latn", True), ("aβγ", "ell_Latn", False), ("abg", "eng_Latn", False), ("abg", "", False),
        ("abg", None, False), ("12", "ell_Latn", False), ("", "ell_Latn", False), ("abg", "rus_Cyrl", True),
        ("abg", "und_Latn", False),
    ],
)  # fmt: skip
def test_which_text_is_romanised(text, language, right, both):
    assert both.route.romanised([text], None if language is None else [language]).tolist() == [right]


def test_latin_text_of_unknown_language_by_choice(native, tower):
    rule = Route(tower, ["und_Latn"])
    assert rule.romanised(["abg", "αβγ"], None).tolist() == [True, False]
    assert rule.romanised(["abg", "abg"], ["", "eng_Latn"]).tolist() == [True, False]


def test_loaded_again_as_it_was_made(both, native, tower, tmp_path):
    again = load_encoder(tmp_path / "both")
    assert again.identity() == both.identity()
    assert again.identity() == native.identity() | {
        "route": {"fingerprint": tower.fingerprint(), "languages": ["ell_Latn", "rus_Latn"]}
    }
    assert np.array_equal(again.encode(LATIN, language="ell_Latn"), tower.encode(LATIN))
    assert np.array_equal(load_encoder(tmp_path / "both" / "romanised").encode(LATIN), tower.encode(LATIN))
    other = load_encoder(tmp_path / "both", layer=1, prompt="ab")
    assert other.route.encoder.layer == 1
    assert np.array_equal(
        other.encode(LATIN, language="ell_Latn"), load_encoder(tmp_path / "tower", layer=1, prompt="ab").encode(LATIN)
    )
    rounded = load_encoder(tmp_path / "both", bf16=True)
    assert rounded.identity() == both.identity()
    assert {p.dtype for p in rounded.parameters()} == {torch.bfloat16}
    assert rounded.encode(LATIN, language="ell_Latn") == pytest.approx(tower.encode(LATIN), abs=0.05)


def test_plain_sentence_transformers_gives_the_same(both, native, tower, tmp_path):
    plain = SentenceTransformer(str(tmp_path / "both"), device="cpu")
    for task in ("romanised", "ell_Latn", "rus_Latn"):
        assert plain.encode(LATIN, task=task) == pytest.approx(tower.encode(LATIN), abs=1e-6)
    assert plain.encode(GREEK) == pytest.approx(native.encode(GREEK), abs=1e-6)
    assert plain.encode_query(GREEK) == pytest.approx(native.encode(GREEK), abs=1e-6)
    assert plain.encode_document(GREEK) == pytest.approx(native.encode(GREEK), abs=1e-6)


def test_what_modules_come_after_the_transformer(tmp_path):
    given = {"layer": 1, "special_tokens": False, "prompt": "ab"}
    sides = []
    for seed in (0, 1):
        tiny_bert(seed=seed).save_pretrained(tmp_path / str(seed))
        tiny_tokenizer().save_pretrained(tmp_path / str(seed))
        sides.append(load_encoder(tmp_path / str(seed), **given))
    route(sides[0], sides[1], tmp_path / "both", languages=["ell_Latn"])
    plain = SentenceTransformer(str(tmp_path / "both"), device="cpu")
    assert plain.encode(LATIN, task="ell_Latn") == pytest.approx(sides[1].encode(LATIN), abs=1e-6)
    assert plain.encode(GREEK) == pytest.approx(sides[0].encode(GREEK), abs=1e-6)


def test_an_index_of_the_native_encoder_is_still_good(both, native, tower, tmp_path):
    old = save_vectors(tmp_path / "v", list("1234"), native.encode(GREEK), texts=GREEK, encoder=native.identity())
    index(old, tmp_path / "i")
    for place in ("v", "i"):
        hits = search(tmp_path / place, both, GREEK, k=1)
        assert [hit[0].text for hit in hits] == GREEK
        search(tmp_path / place, both, LATIN, k=1, query_language="ell_Latn")
        with pytest.raises(InputError, match="another encoder than the index: fingerprint"):
            search(tmp_path / place, tower, LATIN, k=1)
    new = save_vectors(tmp_path / "n", list("1234"), both.encode(GREEK), texts=GREEK, encoder=both.identity())
    load_index(new.folder).check_encoder(both.identity())
    with pytest.raises(InputError, match=r"route.fingerprint .* in the index, null in the queries"):
        search(tmp_path / "n", native, GREEK, k=1)


def test_prompts_and_other_options_reach_both(both, native, tower, tmp_path):
    both.prompt = native.prompt = tower.prompt = "xy"
    assert np.array_equal(both.encode(LATIN, language="ell_Latn"), tower.encode(LATIN))
    out = np.zeros((4, 16), dtype=np.float16)
    seen = []
    assert both.encode(LATIN, language="ell_Latn", out=out, progress=seen.append, raw=True) is out
    assert out == pytest.approx(tower.encode(LATIN, raw=True), abs=0.01) and sum(seen) == 4
    with pytest.raises(InputError, match=r"expected an array of shape \(4, 16\)"):
        both.encode(LATIN, out=out[:2])
    with pytest.raises(InputError, match="4 texts but 3 languages"):
        both.encode(LATIN, language=["ell_Latn"] * 3)
    assert both.encode([], language=[]).shape == (0, 16)


def test_offsets_are_estimated_and_taken_off_by_both(both, tower, tmp_path):
    for code, lines in (("ell_Grek", GREEK), ("ell_Latn", LATIN)):
        (tmp_path / f"{code}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    files = {code: tmp_path / f"{code}.txt" for code in ("ell_Grek", "ell_Latn")}
    made = offsets(both, files, tmp_path / "o")
    rows = dict(zip(made.manifest["rows"], made.rows, strict=True))
    assert rows["ell_Latn"] == pytest.approx(tower.encode(LATIN).mean(axis=0), abs=1e-6)
    taken = load_encoder(tmp_path / "both", offsets=tmp_path / "o").encode(LATIN, language="ell_Latn")
    moved = tower.encode(LATIN) - rows["ell_Latn"]
    assert taken == pytest.approx(moved / np.linalg.norm(moved, axis=1, keepdims=True), abs=1e-5)


def test_what_does_not_go_together(native, tower, both, tmp_path):
    with pytest.raises(InputError, match=r"weights alone, they differ in pooling.layer \(2 of native text, 1 of rom"):
        route(native, load_encoder(tmp_path / "tower", layer=1), tmp_path / "x", languages=["ell_Latn"])
    with pytest.raises(InputError, match="prompt"):
        route(native, load_encoder(tmp_path / "tower", prompt="ab"), tmp_path / "x", languages=["ell_Latn"])
    with pytest.raises(InputError, match="has no route of its own"):
        route(both, tower, tmp_path / "x", languages=["ell_Latn"])
    tower.tokenizer.add_tokens(["αβ"])
    tower.model.resize_token_embeddings(len(tower.tokenizer))
    with pytest.raises(InputError, match="their tokenizers"):
        route(native, tower, tmp_path / "x", languages=["ell_Latn"])
    with pytest.raises(InputError, match="such as hin_Latn, got ell_Grek"):
        route(native, native, tmp_path / "x", languages=["ell_Grek"])
    with pytest.raises(InputError, match="such as hin_Latn, got none"):
        route(native, native, tmp_path / "x", languages=[])
    with pytest.raises(InputError, match="give the name of a model instead, with its options"):
        route(native, native, tmp_path / "x", languages=["ell_Latn"], layer=1)
    assert not (tmp_path / "x").exists()


def test_what_knows_of_one_encoder_only(both, tmp_path):
    recipe = load_recipe("transliteration")
    refused = {
        "training": lambda: train(both, table(), recipe, tmp_path / "t"),
        "save_encoder": lambda: save_encoder(both, tmp_path / "s"),
        "what reads every layer": lambda: encode_layers(both, LATIN),
    }
    for what, call in refused.items():
        with pytest.raises(InputError, match=f"of native and of romanised text: give one to {what}"):
            call()


def test_backend_is_refused(both, tmp_path):
    pytest.importorskip("openvino")
    with pytest.raises(InputError, match="give one to backend openvino"):
        load_backend(tmp_path / "both", "openvino")


def test_from_the_command_line(align, native, tower, tmp_path):
    words = ("route", "bert", "tower", "--languages", "ell_Latn,und_Latn", "--out", "cli")
    assert "ell_Latn" in align(*words).out
    align(*words)  # an older one is replaced
    made = load_encoder(tmp_path / "cli")
    assert made.route.languages == ("ell_Latn", "und_Latn")
    assert "such as hin_Latn" in align(*words[:4], "ell_Grek", "--out", "no", code=2).err

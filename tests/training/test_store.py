"""Stores: equal to plain loops over encoder.tokenize, reused when nothing changed, never used half-written."""

from __future__ import annotations

import logging
import pickle
import tracemalloc
from contextlib import contextmanager
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest
import torch.distributed as dist
import torch.multiprocessing as mp
from conftest import tiny_tokenizer
from datasets import Dataset, Value, concatenate_datasets
from toy import greek, table, words

from align.encoders.checkpoint import load_encoder
from align.errors import InputError
from align.pairs.meanings import group_numbers
from align.training import pair_columns, store, tokens
from align.training.store import PairStore, build_store, open_store
from align.training.tokens import Tokens, token_block, tokenize

OPTIONAL = ("negative", "score", "label")


@pytest.fixture
def encoder(bert_folder):
    return load_encoder(bert_folder)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(pair_columns, "BLOCK", 5)
    monkeypatch.setattr(tokens, "BLOCK", 5)


def labelled(n=23, seed=1, **columns):
    rng = np.random.default_rng(seed)
    latin = [*words(n - 3, seed), "", "x" * 90, "Ünknown 一"]
    codes = ["ell_Grek", "ell_Latn", "zho_Hani", "eng_Latn"]
    base = {
        "source": greek(latin), "target": latin[::-1], "negative": words(n, seed + 1),
        "source_lang": rng.choice(codes[1:], n).tolist(), "target_lang": rng.choice(codes, n).tolist(),
        "group_id": [f"g{i}" for i in rng.integers(0, 9, n)], "score": rng.random(n).tolist(),
        "label": rng.choice(["neutral", "entailment"], n).tolist(),
    }  # fmt: skip
    return Dataset.from_dict(base | columns)


def dense(values):
    order = {value: i for i, value in enumerate(sorted(set(values)))}
    return [order[value] for value in values]


def same(one: PairStore, other: PairStore):
    for side in ("source", "target", "negative"):
        a, b = getattr(one, side), getattr(other, side)
        assert (a is None) == (b is None)
        assert a is None or (np.array_equal(a.ids, b.ids) and np.array_equal(a.offsets, b.offsets)), side
    for name in ("languages", "language_pairs", "groups", "tables", "scores", "labels"):
        assert np.array_equal(getattr(one, name), getattr(other, name)), name
    for name in ("names", "table_names", "label_names", "digest", "folder"):
        assert getattr(one, name) == getattr(other, name), name


@pytest.fixture
def no_tokenizer(monkeypatch):
    """From the call on, the tokenizer may not be asked."""

    def asked(*_, **__):
        raise AssertionError("the tokenizer was asked")

    return lambda: monkeypatch.setattr(store, "token_block", asked)


def test_a_store_equals_plain_loops(encoder, tmp_path):
    encoder.prompt = "q "
    tables = {"one": labelled(), "two": labelled(4, seed=5, label=["zebra"] * 4), "three": labelled(11, seed=7)}
    made = build_store(tables, encoder, max_tokens=12, columns=OPTIONAL, cache=tmp_path)
    every = {name: [value for rows in tables.values() for value in rows[name]] for name in labelled().column_names}
    n = len(every["source"])
    for side in ("source", "target", "negative"):
        expected = [encoder.tokenize([text], max_tokens=12)[0] for text in every[side]]
        found = getattr(made, side)
        assert [found[i].tolist() for i in range(n)] == expected
        assert found.lengths.tolist() == [len(ids) for ids in expected]
        assert len(found) == n
        assert found.ids.dtype == np.int32
        assert max(map(len, expected)) == 12
    sides = (made.source, made.target, made.negative)
    assert made.lengths.tolist() == [max(len(side[i]) for side in sides) for i in range(n)]
    assert made.costs.tolist() == [sum(len(side[i]) for side in sides) for i in range(n)]
    assert made.languages.tolist() == dense(every["source_lang"])
    assert made.names == ("ell_Latn", "eng_Latn", "zho_Hani")  # ell_Grek is on no source side
    pairs = [tuple(sorted(pair)) for pair in zip(every["source_lang"], every["target_lang"], strict=True)]
    assert made.language_pairs.tolist() == dense(pairs)
    meanings, sources, targets = made.groups.T.tolist()
    assert dense(meanings) == dense([meanings[every["group_id"].index(g)] for g in every["group_id"]])
    assert len(set(meanings)) == len(set(every["group_id"]))
    texts, numbers = every["source"] + every["target"] + every["negative"], sources + targets
    numbers += made.negative_texts.tolist()
    assert len(set(zip(texts, numbers, strict=True))) == len(set(texts)) == len(set(numbers)) < 3 * n
    assert made.groups.min() >= 0
    assert not set(meanings) & set(sources + targets)
    assert made.tables.tolist() == [0] * 23 + [1] * 4 + [2] * 11
    assert made.table_names == ("one", "two", "three")
    assert made.scores.tolist() == every["score"]
    assert made.labels.tolist() == dense(every["label"])
    assert made.label_names == ("entailment", "neutral", "zebra")


def test_only_the_columns_asked_for_are_read(encoder, tmp_path):
    made = build_store(labelled(score=[7.0] * 23), encoder, max_tokens=12, cache=tmp_path)
    assert (made.negative, made.scores, made.labels, made.label_names) == (None, None, None, ())
    assert made.lengths.tolist() == np.maximum(made.source.lengths, made.target.lengths).tolist()
    assert made.costs.tolist() == (made.source.lengths + made.target.lengths).tolist()
    assert made.table_names == ("pairs",)


def test_numbers_serve_as_labels_and_groups(encoder, tmp_path):
    pairs = table(4, label=[10, 2, 10, 3], group_id=[7, 8, 7, 70])
    made = build_store(pairs, encoder, max_tokens=12, columns=["label"], cache=tmp_path)
    assert (made.label_names, made.labels.tolist()) == (("2", "3", "10"), [2, 0, 2, 1])
    assert made.groups[:, 0].tolist() == group_numbers(pa.chunked_array([["7", "8", "7", "70"]])).tolist()


def test_the_number_of_a_group_never_changes():
    numbers = group_numbers(pa.chunked_array([["a", "b"], ["a"]]))
    # `printf a | b2sum -l 64` says 40f89e395b66422f
    assert numbers.tolist() == [0x40F89E395B66422F // 2, 0x8472C2E34D854F75 // 2, 0x40F89E395B66422F // 2]


def test_taken_rows():
    rng = np.random.default_rng(0)
    texts = [rng.integers(0, 99, size).astype(np.int32) for size in (3, 0, 5, 1, 0)]
    found = Tokens(np.concatenate(texts), np.cumsum([0, 3, 0, 5, 1, 0]))
    for rows in ([2, 0, 2, 1], [1], [4, 1], [3, 4, 0], []):
        ids, lengths = found.take(np.array(rows, dtype=np.int64))
        assert ids.tolist() == [i for row in rows for i in texts[row]]
        assert lengths.tolist() == [len(texts[row]) for row in rows]
        assert ids.dtype == np.int32
    assert found.take([2])[0].tolist() == found[2].tolist() == texts[2].tolist()
    found[2][0] = -1  # a copy
    assert found[2][0] == texts[2][0] != -1


@pytest.mark.parametrize("n", [0, 1, 2, 3, 5, 6, 17])
def test_tokens_in_memory_equal_the_encoders(encoder, n):
    texts = [*words(n - 1), "x" * 90] if n else []
    found = tokenize(texts, encoder, max_tokens=9)
    assert [found[i].tolist() for i in range(n)] == encoder.tokenize(texts, max_tokens=9)
    assert (found.offsets[0], len(found), found.ids.dtype) == (0, n, np.int32)


def test_lone_surrogates_and_limits_beyond_the_encoders(encoder):
    texts = ["ab\ud800", "y" * 90, "c"]
    ids, lengths = token_block(texts, encoder, max_tokens=500)
    assert ids.tolist() == [i for row in encoder.tokenize(texts) for i in row]
    assert lengths.tolist() == [5, 64, 3]


def test_the_rust_tokenizer_is_asked_itself(encoder, monkeypatch):
    encoder.prompt = "q "
    expected, plain, asked = encoder.tokenize(words(9), max_tokens=6), encoder.tokenize, []
    monkeypatch.setattr(encoder, "tokenize", lambda texts, **options: asked.append(texts) or plain(texts, **options))
    ids, _ = token_block(words(9), encoder, max_tokens=6)
    assert ids.tolist() == [i for row in expected for i in row]
    assert asked == [[words(9)[0], max(words(9), key=len)]]


def test_python_between_the_encoder_and_its_tokenizer_is_heeded(encoder, monkeypatch):
    plain = encoder.tokenize
    monkeypatch.setattr(encoder, "tokenize", lambda texts, **options: [ids[::-1] for ids in plain(texts, **options)])
    ids, _ = token_block(["abc", "de", "f"], encoder, max_tokens=9)
    assert ids.tolist() == [i for row in plain(["abc", "de", "f"], max_tokens=9) for i in row[::-1]]


def test_a_tokenizer_without_a_backend(encoder, tmp_path):
    from transformers import ByT5Tokenizer

    encoder.tokenizer = ByT5Tokenizer(extra_ids=2)
    made = build_store(table(7), encoder, max_tokens=12, cache=tmp_path)
    assert [made.target[i].tolist() for i in range(7)] == encoder.tokenize(words(7), max_tokens=12)
    encoder.tokenizer = ByT5Tokenizer(extra_ids=3)
    assert build_store(table(7), encoder, max_tokens=12, cache=tmp_path).folder != made.folder


def test_nothing_changed_nothing_tokenised(encoder, bert_folder, tmp_path, no_tokenizer, caplog):
    caplog.set_level(logging.INFO)
    first = build_store(labelled(), encoder, max_tokens=12, columns=OPTIONAL, cache=tmp_path)
    assert caplog.messages == [f"23 pairs are tokenised, and kept in {first.folder}"]
    encoder.tokenize(["abc"], max_tokens=3)  # leaves another truncation in the tokenizer
    caplog.clear()
    no_tokenizer()
    for again in (encoder, load_encoder(bert_folder)):
        same(build_store(labelled(), again, max_tokens=12, columns=OPTIONAL, cache=tmp_path), first)
    assert caplog.messages == [f"23 pairs, tokenised before, are read from {first.folder}"] * 2
    assert [path.name for path in tmp_path.iterdir() if path.is_dir() and path != bert_folder] == [first.folder.name]


def test_the_users_cache_is_the_default(encoder, user_cache):
    made = build_store(table(3), encoder, max_tokens=12)
    assert made.folder.parent == user_cache / "align" / "stores"


def test_whatever_decides_a_store_names_it(encoder, tmp_path):
    def key(pairs=None, max_tokens=12, columns=("label",)):
        return build_store(
            labelled() if pairs is None else pairs, encoder, max_tokens=max_tokens, columns=columns, cache=tmp_path
        ).folder.name

    base = labelled()
    keys = {"base": key(), "max_tokens": key(max_tokens=11), "none": key(columns=()), "two": key(columns=OPTIONAL[1:])}
    for name in ("source", "target", "source_lang", "target_lang", "group_id", "label"):
        keys[name] = key(labelled(**{name: ["changed", *base[name][1:]]}))
    keys["cut elsewhere"] = key(labelled(source=["a", "bc", *base["source"][2:]]))
    keys["cut here"] = key(labelled(source=["ab", "c", *base["source"][2:]]))
    keys["order"] = key(base.select([1, 0, *range(2, 23)]))
    keys["name"] = key({"other": base})
    keys["tables"] = key({"pairs": base.select(range(10)), "more": base.select(range(10, 23))})
    keys["tables elsewhere"] = key({"pairs": base.select(range(11)), "more": base.select(range(11, 23))})
    encoder.prompt = "q "
    keys["prompt"] = key()
    encoder.prompt = ""
    encoder.tokenizer.backend_tokenizer.post_processor = None
    keys["tokenizer"] = key()
    encoder.tokenizer = tiny_tokenizer()
    assert key() == keys["base"]
    encoder.tokenizer.truncation_side = "left"
    keys["side"] = key()
    assert len(set(keys.values())) == len(keys)
    assert key(labelled(negative=["not read"] * 23)) == keys["side"]
    encoder.tokenizer = tiny_tokenizer()
    assert key(max_tokens=64) == key(max_tokens=500)  # the encoder takes 64


def test_a_slice_is_hashed_as_its_own_values():
    column = pa.chunked_array([pa.array(["no", "ab", "", "c"], pa.large_string()).slice(1)])
    data, lengths = pair_columns._content(column, "source")
    assert (bytes(data), lengths.tolist()) == (b"abc", [2, 0, 1])


def test_the_digest_is_of_the_columns_read(encoder, tmp_path):
    def digest(pairs, **options):
        options = {"max_tokens": 12, "columns": ["score"], "cache": tmp_path} | options
        return build_store(pairs, encoder, **options).digest

    base = labelled()
    cut = {"a": base.select(range(7)), "b": base.select(range(7, 23))}
    assert digest(base) == digest(base, max_tokens=9) == digest(cut)
    others = [digest(base, columns=[]), digest(base.select(range(22))), digest(labelled(score=[0.5] * 23))]
    assert len({digest(base), *others}) == 4


def test_how_a_table_is_kept_does_not_matter(encoder, tmp_path, no_tokenizer, monkeypatch):
    base = labelled()
    made = build_store(base, encoder, max_tokens=12, columns=OPTIONAL, cache=tmp_path)
    no_tokenizer()
    backwards = base.select(list(range(22, -1, -1)))
    large = base.cast_column("source", Value("large_string"))
    base.save_to_disk(tmp_path / "saved", num_shards=3)
    kept = {
        "chunks": concatenate_datasets([base.select(range(0, 2)), base.select(range(2, 9)), base.select(range(9, 23))]),
        "indices": backwards.select(list(range(22, -1, -1))), "large": large, "numpy": base.with_format("numpy"),
        "more columns": base.add_column("kind", ["pair"] * 23), "on disk": Dataset.load_from_disk(tmp_path / "saved"),
        "categories": Dataset(pa.table({name: _encoded(base, name) for name in base.column_names})),
    }  # fmt: skip
    for name, rows in kept.items():
        again = build_store(rows, encoder, max_tokens=12, columns=OPTIONAL, cache=tmp_path)
        assert again.folder == made.folder, name
    monkeypatch.setattr(pair_columns, "BLOCK", 1000)
    assert build_store(base, encoder, max_tokens=12, columns=OPTIONAL, cache=tmp_path).folder == made.folder


def _encoded(rows, name):
    column = rows.data.column(name)
    return column.dictionary_encode() if name == "source_lang" else column


def test_an_indices_mapping_is_followed(encoder, tmp_path):
    rows = [9, 2, 2, 15, 0, 22, 1, 7]
    base = labelled()
    made = build_store(base.select(rows), encoder, max_tokens=12, columns=OPTIONAL, cache=tmp_path)
    assert [made.source[i].tolist() for i in range(8)] == encoder.tokenize(
        [base["source"][r] for r in rows], max_tokens=12
    )
    assert made.scores.tolist() == [base["score"][r] for r in rows]


@pytest.mark.parametrize("damage", ["bytes", "short", "gone", "manifest", "no manifest", "not JSON"])
def test_a_damaged_store_is_built_anew(encoder, tmp_path, damage, caplog):
    first = build_store(labelled(), encoder, max_tokens=12, cache=tmp_path / "stores")
    before = {name: np.array(getattr(first, name)) for name in ("languages", "groups", "tables")}
    ids = np.array(first.source.ids)
    file = first.folder / "source_ids.npy"
    content = file.read_bytes()
    if damage == "bytes":
        file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    elif damage == "short":
        file.write_bytes(content[:-4])
    elif damage == "gone":
        file.unlink()
    elif damage == "manifest":
        (first.folder / "store.json").write_text("[]")
    elif damage == "not JSON":
        (first.folder / "store.json").write_text("{")
    else:
        (first.folder / "store.json").unlink()
    again = build_store(labelled(), encoder, max_tokens=12, cache=tmp_path / "stores")
    assert np.array_equal(again.source.ids, ids)
    assert all(np.array_equal(getattr(again, name), value) for name, value in before.items())
    assert again.folder == first.folder
    assert [path.name for path in (tmp_path / "stores").iterdir()] == [first.folder.name]
    warnings = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == (damage != "no manifest")
    assert all(str(first.folder) in line and line.endswith("; the pairs are tokenised anew") for line in warnings)


def test_an_interrupted_build_leaves_nothing(encoder, tmp_path, monkeypatch):
    calls = []

    def interrupted(*arguments, **options):
        calls.append(arguments)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return token_block(*arguments, **options)

    monkeypatch.setattr(store, "token_block", interrupted)
    with pytest.raises(KeyboardInterrupt):
        build_store(labelled(), encoder, max_tokens=12, cache=tmp_path / "stores")
    assert not (tmp_path / "stores").exists()


def test_a_store_that_another_process_made_meanwhile_is_used(encoder, tmp_path, monkeypatch):
    made = build_store(labelled(), encoder, max_tokens=12, cache=tmp_path / "other")

    ids, path = np.array(made.source.ids), tmp_path / "stores" / made.folder.name

    @contextmanager
    def locked(place, *, wait):
        assert (place, wait) == (path, True)
        path.parent.mkdir()
        made.folder.rename(path)
        yield

    def never(*_, **__):
        raise AssertionError("tokenised again")

    monkeypatch.setattr(store, "locked", locked)
    monkeypatch.setattr(store, "token_block", never)
    again = build_store(labelled(), encoder, max_tokens=12, cache=tmp_path / "stores")
    assert (again.folder, again.source.ids.tolist()) == (path, ids.tolist())


def test_messages(encoder, tmp_path):
    def message(pairs, columns=()):
        with pytest.raises(InputError) as raised:
            build_store(pairs, encoder, max_tokens=12, columns=columns, cache=tmp_path / "stores")
        assert not (tmp_path / "stores").exists()
        return str(raised.value)

    base = labelled()
    found = "found source, target, negative, source_lang, target_lang, score, label"
    assert message(base.remove_columns("group_id")) == f"the table 'pairs' lacks the column group_id; {found}"
    assert message(table(3), ["label"]) == (
        "the table 'pairs' lacks the column label, which an objective of this recipe reads: align pairs nli --form "
        "labels writes it; found source, target, source_lang, target_lang, group_id"
    )
    assert "align pairs nli writes it; without it, set multiple_neg" in message(table(3), ["negative"])
    assert "align pairs sts writes it" in message(table(3), ["score"])
    assert message({"a": base, "b": base.select([])}) == "the table 'b' is empty: there is nothing to train on"
    for name, bad in [("negative", ""), ("negative", None), ("label", None), ("score", None), ("label", "")]:
        values = [*base[name][:8], bad, *base[name][9:]]
        assert message({"t": base, "u": labelled(**{name: values})}, [name]) == (
            f"the table 'u', row 9: {name} is empty; an objective of this recipe reads it"
        )
    for bad in (1.5, -0.25, float("nan"), float("inf")):
        values = [*base["score"][:11], bad, *base["score"][12:]]
        assert message(labelled(score=values), ["score"]) == (
            f"the table 'pairs', row 12: expected a score in 0..1, got {bad}"
        )
    for name in pair_columns.NEEDED:
        values = [*base[name][:6], None, *base[name][7:]]
        assert message(labelled(**{name: values})) == f"the table 'pairs', row 7: {name} is null; every pair needs one"
    assert message(labelled(target=[None] * 23)) == "the table 'pairs', row 1: target is null; every pair needs one"
    assert (
        message(labelled(source=list(range(23)))) == "the table 'pairs': expected text in the column source, got int64"
    )
    assert message(labelled(score=["1"] * 23), ["score"]) == (
        "the table 'pairs': expected numbers in the column score, got string"
    )
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="was not written"):
        build_store(base, encoder, max_tokens=12, cache=tmp_path / "file")


def test_whole_numbers_serve_as_scores(encoder, tmp_path):
    made = build_store(table(3, score=[0, 1, 1]), encoder, max_tokens=12, columns=["score"], cache=tmp_path)
    assert made.scores.tolist() == [0.0, 1.0, 1.0]


def test_no_tokens_at_all(encoder, tmp_path):
    encoder.tokenizer.backend_tokenizer.post_processor = None
    made = build_store(table(2, source=["", ""]), encoder, max_tokens=12, cache=tmp_path)
    assert (len(made.source), made.source.ids.tolist(), made.source[1].tolist()) == (2, [], [])
    assert made.source.take([1, 0])[1].tolist() == [0, 0]
    assert build_store(table(1, target=[""]), encoder, max_tokens=12, cache=tmp_path).costs.tolist() == [
        len(greek(words(1))[0])
    ]


def test_memory_does_not_grow_with_the_table(encoder, tmp_path, monkeypatch):
    monkeypatch.setattr(pair_columns, "BLOCK", 256)
    peaks = {}
    for n in (512, 8192):
        pairs = table(n)
        build_store(pairs.select(range(5)), encoder, max_tokens=12, cache=tmp_path)  # what is loaded once
        tracemalloc.start()
        made = build_store(pairs, encoder, max_tokens=12, cache=tmp_path)
        peaks[n] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert len(made.groups) == n
    bytes_of_ids = 4 * len(made.source.ids)
    assert peaks[8192] < peaks[512] + bytes_of_ids / 4, peaks


def test_arrays_are_mapped_and_cannot_be_changed(encoder, tmp_path):
    made = build_store(labelled(), encoder, max_tokens=12, columns=OPTIONAL, cache=tmp_path)
    for array in (made.source.ids, made.target.offsets, made.groups, made.scores, made.labels):
        assert not array.flags.writeable
        assert isinstance(array.base, np.memmap)
    copied = pickle.dumps(made)
    assert len(copied) < 1000
    same(pickle.loads(copied), made)
    same(open_store(made.folder), made)
    plain = PairStore(**{name: getattr(made, name) for name in made.__dataclass_fields__ if name != "folder"})
    again = pickle.loads(pickle.dumps(plain))  # one in memory travels whole
    assert again.folder is None
    assert np.array_equal(again.source.ids, made.source.ids)


def process(rank, port, folder, given):
    """One of two processes of a run; the second may not tokenise, and hears of the first one's error."""
    dist.init_process_group(
        "gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2, timeout=timedelta(seconds=60)
    )
    encoder = load_encoder(folder / "bert")
    plain = store.token_block

    def asked(*arguments, **options):
        assert rank == 0, "the second process tokenised"
        return plain(*arguments, **options)

    def broken(*_, **__):
        raise RuntimeError("out of luck")

    try:
        store.token_block = asked
        made = build_store(labelled(), encoder, max_tokens=12, columns=OPTIONAL, cache=folder / "two")
        assert np.array_equal(made.source.ids, given.source.ids)  # which came through a pickle
        assert made.digest == given.digest
        store.token_block = broken
        with pytest.raises(RuntimeError if rank == 0 else InputError, match="out of luck"):
            build_store(labelled(), encoder, max_tokens=11, cache=folder / "two")
    finally:
        dist.destroy_process_group()


def test_of_two_processes_one_builds(encoder, bert_folder, tmp_path):
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    given = build_store(labelled(), encoder, max_tokens=12, columns=OPTIONAL, cache=tmp_path / "one")
    mp.spawn(process, (port, tmp_path, given), nprocs=2)
    assert len(list((tmp_path / "two").iterdir())) == 1

"""Files of every kind that Align writes and reads, damaged at random, and what reading them then gives."""

from __future__ import annotations

import hashlib
import json
import random
import resource
import shutil
import traceback
from pathlib import Path

import numpy as np

WORDS = ["ab", "cd", "efg", "hi"]


def build(home):
    """A folder of each kind; small ones."""
    import torch
    from conftest import tiny_bert, tiny_tokenizer
    from killed import train_toy
    from result_dicts import result, score
    from toy import table, words

    from align.encoders.checkpoint import load_encoder
    from align.encoders.offsets.estimate import offsets
    from align.encoders.saving import save_encoder
    from align.evaluation.results import write_result
    from align.evaluation.run import Kept
    from align.evaluation.vocabulary_cache import cached
    from align.indexes.build import index
    from align.pairs.table import write_pairs
    from align.training.store import build_store
    from align.vectors.writing import save_vectors

    torch.set_num_threads(1)
    tiny_bert().save_pretrained(home / "bert")
    tiny_tokenizer().save_pretrained(home / "bert")
    encoder = load_encoder(home / "bert")
    save_encoder(encoder, home / "encoder")
    train_toy(home / "bert", home / "run", steps=4)
    shutil.move(home / "run.checkpoints", home / "checkpoints")
    build_store(table(), encoder, max_tokens=16, cache=home / "cache")
    shutil.move(next((home / "cache").iterdir()), home / "store")
    texts = words(300)
    vectors = encoder.encode(texts)
    made = save_vectors(
        home / "vectors", [str(i) for i in range(300)], vectors, texts=texts, encoder={"fingerprint": "x"},
        languages=["eng_Latn", "ell_Grek"] * 150, part_rows=100,
    )  # fmt: skip
    for name, factory in (("flat", "Flat"), ("ivf", "IVF8,Flat"), ("hnsw", "HNSW8"), ("pq", "PQ8")):
        index(made.folder, home / f"index-{name}", factory=factory, recall_queries=0)
    for code in ("eng_Latn", "ell_Grek"):
        (home / f"{code}.txt").write_text("\n".join(words(20, seed=len(code))))
    offsets(home / "bert", {code: home / f"{code}.txt" for code in ("eng_Latn", "ell_Grek")}, home / "offsets")
    write_pairs(({**row, "kind": "toy"} for row in table()), home / "pairs", manifest={})
    (home / "results").mkdir()
    write_result(home / "results" / "a.json", result("m", [score("deu_Latn", [1.0, 0.0, 1.0])]))
    Kept(home / "scores").write("ab12", [{"id": "a", "value": 0.5, "right": [1, 0, 1]}])
    cached(lambda words, language: vectors[:4], encoder={"e": 1}, folder=home / "vocabularies")(WORDS, "eng_Latn")


def digest(*values):
    """Of arrays, bytes and JSON values."""
    found = hashlib.sha256()
    for value in values:
        if isinstance(value, np.ndarray):
            value = value.tobytes()
        found.update(value if isinstance(value, bytes) else json.dumps(value, default=str).encode())
    return found.hexdigest()


def read(kind, place):
    """What a reader of the kind gives, as a hash."""
    from killed import newest
    from toy import words

    if kind in ("bert", "encoder"):
        from align.encoders.checkpoint import load_encoder

        return digest(load_encoder(place).encode(words(8)))
    if kind == "checkpoints":
        folder = newest(place)
        return digest(folder.name, *[path.read_bytes() for path in sorted(folder.iterdir()) if path.name[0] != "."])
    if kind == "store":
        from align.training.store import STORED, open_store

        store = open_store(place, verify=True)
        arrays = [store.source.ids, store.source.offsets, store.target.ids, store.target.offsets]
        return digest(*arrays, *[np.asarray(getattr(store, name) if getattr(store, name) is not None else 0)
                                 for name in STORED], store.names, store.table_names, store.digest)  # fmt: skip
    if kind == "vectors":
        from align.vectors.folder import open_vectors, vectors_of

        made = open_vectors(place)
        tables = list(made.tables())
        return digest(*map(vectors_of, tables), [table.drop_columns("vector").to_pylist() for table in tables],
                      made.rows, made.dimension, dict(made.encoder))  # fmt: skip
    if kind.startswith("index"):
        from align.indexes.index import load_index

        made = load_index(place)
        scores, rows = made.search(
            np.eye(16, dtype=np.float32), 5, languages=None if kind == "index-pq" else ["eng_Latn"]
        )
        return digest(scores, rows, made.ids(rows), dict(made.encoder), made.rows)
    if kind == "offsets":
        from align.encoders.offsets.folder import open_offsets

        made = open_offsets(place)
        return digest(made.rows, made.identity, dict(made.manifest["encoder"]))
    if kind == "pairs":
        from align.pairs.reading.table import read_pairs

        return digest(read_pairs(place).to_dict())
    if kind == "results":
        from align.evaluation.results import read_result

        return digest(dict(read_result(place / "a.json")))
    if kind == "scores":
        from align.evaluation.run import Kept

        return digest(Kept(place).read("ab12"))
    assert kind == "vocabularies"
    from align.evaluation.vocabulary_cache import cached

    anew = np.zeros((4, 16), dtype=np.float32)
    return digest(np.array(cached(lambda words, language: anew, encoder={"e": 1}, folder=place)(WORDS, "eng_Latn")))


KINDS = (
    "bert", "encoder", "checkpoints", "store", "vectors", "index-flat", "index-ivf", "index-hnsw", "index-pq",
    "offsets", "pairs", "results", "scores", "vocabularies",
)  # fmt: skip
UNSEALED = ("bert",)
"""As others write it, without a hash of anything: of its weights a flipped bit cannot be told."""


def damage(draw, place):
    """Damage a file, or two; what was done."""
    files = sorted(path for path in place.rglob("*") if path.is_file())
    path = draw.choice(files)
    data, how = bytearray(path.read_bytes()), draw.choice(["cut", "flip", "zero", "swap", "more"])
    if how == "swap":
        other = draw.choice(files)
        path.write_bytes(other.read_bytes())
        other.write_bytes(data)
        return f"{path.relative_to(place)} swapped with {other.relative_to(place)}"
    at = draw.randrange(len(data) or 1)
    if how == "cut":
        del data[at:]
    elif how == "more":
        data[at:at] = draw.randbytes(draw.randrange(1, 64))
    elif how == "zero":
        data[at : at + 512] = bytes(len(data[at : at + 512]))
    elif data:
        data[at] ^= 1 << draw.randrange(8)
    path.write_bytes(data)
    return f"{path.relative_to(place)}: {how} at {at}"


def forge(draw, place):
    """Damage the FAISS file of an index, and make its hash agree; what was done."""
    path = place / "index.faiss"
    data = bytearray(path.read_bytes())
    at = draw.choice([draw.randrange(min(len(data), 300)), draw.randrange(len(data))])  # sizes stand at the head
    how = draw.choice(["cut", "flip", "large"])
    if how == "cut":
        del data[at:]
    elif how == "flip":
        data[at] ^= 1 << draw.randrange(8)
    else:
        data[at : at + 8] = b"\xff" * 8
    path.write_bytes(data)
    manifest = json.loads((place / "manifest.json").read_text())
    manifest.pop("seal")
    manifest["files"][path.name] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    (place / "manifest.json").write_text(json.dumps(manifest))
    return f"{how} at {at}"


def good(home, kind):
    """What an undamaged folder may give: of two checkpoints the older one too, and of caches nothing."""
    import shutil
    import tempfile

    values = {read(kind, home / kind)}
    if kind == "checkpoints":
        with tempfile.TemporaryDirectory() as folder:
            shutil.copytree(home / kind, Path(folder, "one.checkpoints"))
            shutil.rmtree(Path(folder, "one.checkpoints", "checkpoint-4"))
            values.add(read(kind, Path(folder, "one.checkpoints")))
    if kind == "scores":
        values.add(digest(None))
    if kind == "vocabularies":
        values.add(digest(np.zeros((4, 16), dtype=np.float32)))
    return values


def try_all(home, numbers, log, memory, kinds=KINDS, how=damage):
    """Damage copies of folders, as numbers say, and read them; a line for each, before and after."""
    import logging
    import tempfile

    import torch

    from align.errors import InputError

    torch.set_num_threads(1)
    logging.disable(logging.CRITICAL)
    fine = {}
    with tempfile.TemporaryDirectory() as folder, open(log, "a", buffering=1) as lines:
        for number in numbers:
            draw = random.Random(number)
            kind = kinds[number % len(kinds)]
            if kind not in fine:
                fine[kind] = good(home, kind)
                used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
                resource.setrlimit(resource.RLIMIT_AS, (used + memory, resource.RLIM_INFINITY))
            place = Path(folder, kind)
            shutil.rmtree(place, ignore_errors=True)
            shutil.copytree(home / kind, place)
            what = how(draw, place)
            lines.write(json.dumps([number, kind, what, "begun"]) + "\n")
            try:
                found = read(kind, place)
                end = "equal" if found in fine[kind] else "other"
            except InputError:
                end = "refused"
            except Exception:
                end = traceback.format_exc()
            lines.write(json.dumps([number, kind, what, end]) + "\n")

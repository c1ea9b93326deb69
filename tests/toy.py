"""A toy script barrier: Latin words, the same words in Greek letters, and an encoder whose letters are its pieces."""

from __future__ import annotations

import numpy as np
import torch
from datasets import Dataset

N = 96


def words(n=N, seed=0):
    rng = np.random.default_rng(seed)
    return ["".join(chr(97 + c) for c in rng.integers(0, 24, rng.integers(3, 9))) for _ in range(n)]


def greek(latin):
    return ["".join(chr(0x3B1 + ord(c) - 97) for c in word) for word in latin]


def table(n=N, **columns):
    latin = words(n)
    base = {
        "source": greek(latin), "target": latin, "source_lang": ["ell_Grek"] * n, "target_lang": ["ell_Latn"] * n,
        "group_id": [str(i) for i in range(n)],
    }  # fmt: skip
    return Dataset.from_dict(base | columns)


def hard(path, *, lacking=0):
    """A Latin word, the same in Greek, and two others as negatives; the last rows have none."""
    latin = words(96)
    rows = ["source\ttarget\tsource_lang\ttarget_lang\tnegative_1\tnegative_2"]
    for i, word in enumerate(latin):
        wrong = greek([latin[(i + 7) % 96], latin[(i + 31) % 96]]) if i < 96 - lacking else ["", ""]
        rows.append("\t".join([word, *greek([word]), "ell_Latn", "ell_Grek", *wrong]))
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def p1(encoder):
    latin = words()
    a, b = encoder.encode(greek(latin)), encoder.encode(latin)
    return {"P@1": float(((a @ b.T).argmax(1) == np.arange(N)).mean())}


def quiet(encoder):
    """No dropout: two paths can be compared."""
    for module in encoder.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    return encoder

"""A 2-layer encoder and its tokenizer, built in memory: no test needs a network."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from align import cli

if TYPE_CHECKING:  # torch and transformers take seconds to import: only the tests that use them pay
    from transformers import BertForMaskedLM, PreTrainedTokenizerFast

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # whoever imports the client later
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def tiny_tokenizer() -> PreTrainedTokenizerFast:
    """Every letter a..z and alpha..omega is a piece."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    pieces = SPECIAL + [chr(c) for c in range(ord("a"), ord("z") + 1)] + [chr(c) for c in range(0x3B1, 0x3CA)]
    tokenizer = Tokenizer(models.WordLevel({piece: i for i, piece in enumerate(pieces)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, model_max_length=64, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]",
        sep_token="[SEP]", mask_token="[MASK]",
    )  # fmt: skip


def tiny_bert(layers: int = 2, seed: int = 0) -> BertForMaskedLM:
    import torch
    from transformers import BertConfig, BertForMaskedLM

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=len(tiny_tokenizer()), hidden_size=16, num_hidden_layers=layers, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=64, type_vocab_size=1, initializer_range=0.2,
    )  # fmt: skip
    return BertForMaskedLM(config).eval()


@pytest.fixture(scope="session", autouse=True)
def user_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """No test writes to the user's own cache."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder))
        yield folder


@pytest.fixture
def bert_folder(tmp_path: Path) -> Path:
    """A masked-LM checkpoint folder as Hugging Face writes it."""
    folder = tmp_path / "bert"
    tiny_bert().save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture
def align(tmp_path, monkeypatch, capsys):
    """Run the command in this process, in a folder of its own; what it printed, on stdout and on stderr."""

    def run(*words, code=0):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["align", "-q", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        printed = capsys.readouterr()
        assert stopped.value.code == code, printed.err
        return printed

    return run

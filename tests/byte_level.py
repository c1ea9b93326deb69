"""Small untrained encoders of bytes (ByT5's) and of characters (CANINE), in folders as they are published."""

from __future__ import annotations

import pytest

KINDS = ("byt5", "canine")


@pytest.fixture(params=KINDS)
def byte_level(request, tmp_path, monkeypatch):
    """The folder of one."""
    if request.param == "canine":  # a tokenizer that lists all 1.1 million code points takes seconds to load
        monkeypatch.setattr("transformers.models.canine.tokenization_canine.UNICODE_VOCAB_SIZE", 0x500)
    return save(request.param, tmp_path / request.param)


def save(kind, folder, *, width=16, seed=0):
    import torch
    from transformers import ByT5Tokenizer, CanineModel, CanineTokenizer, T5EncoderModel

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    models = {
        "byt5": (byt5_config, T5EncoderModel, ByT5Tokenizer),
        "canine": (canine_config, CanineModel, CanineTokenizer),
    }
    config, model, tokenizer = models[kind]
    model(config(width)).save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder


def byt5_config(width=16):
    from transformers import T5Config

    return T5Config(
        vocab_size=384, d_model=width, d_kv=width // 2, d_ff=2 * width, num_layers=2, num_heads=2,
        feed_forward_proj="gated-gelu", decoder_start_token_id=0,
    )  # fmt: skip


def canine_config(width=16):
    from transformers import CanineConfig

    return CanineConfig(
        hidden_size=width, num_hidden_layers=2, num_attention_heads=2, intermediate_size=2 * width,
        num_hash_functions=2, num_hash_buckets=512, max_position_embeddings=512, initializer_range=0.2,
    )  # fmt: skip

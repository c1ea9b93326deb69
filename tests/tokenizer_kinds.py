"""Small tokenizers of every kind that can be cut and extended, and encoders with them."""

from __future__ import annotations

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import BertConfig, BertForMaskedLM, PreTrainedTokenizerFast, RobertaConfig, RobertaForMaskedLM

from align.encoders.encoder import Encoder
from align.encoders.pooling import Pooling

TEXT = "the cat sat on a mat and then the dogs sat down, ate the rats; η γάτα κάθισε στο χαλί και τα σκυλιά έφαγαν"
WORDS = TEXT.split(" ")
LINES = [" ".join(WORDS[i : i + 5]) for i in range(0, len(WORDS) - 5)]


def unigram():
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizers.NFKC(), pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    trainer = trainers.UnigramTrainer(vocab_size=90, unk_token="<unk>", special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator(LINES * 5, trainer)
    ends = [("<s>", 0), ("</s>", 2)]
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=ends)
    tokenizer.add_special_tokens(["<mask>"])
    return tokenizer, {"bos_token": "<s>", "eos_token": "</s>", "cls_token": "<s>", "sep_token": "</s>"}


def byte_pairs():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.ByteLevel(), decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=370, special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"], show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )  # fmt: skip
    tokenizer.train_from_iterator(LINES * 5, trainer)
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    return tokenizer, {"bos_token": "<s>", "eos_token": "</s>", "cls_token": "<s>", "sep_token": "</s>"}


def word_pieces():
    tokenizer = Tokenizer(models.WordPiece(unk_token="<unk>"))
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    special = ["<pad>", "[unused1]", "<unk>", "<s>", "</s>", "<mask>"]
    trainer = trainers.WordPieceTrainer(vocab_size=120, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator(LINES * 5, trainer)
    tokenizer.post_processor = processors.BertProcessing(("</s>", 4), ("<s>", 3))
    return tokenizer, {"cls_token": "<s>", "sep_token": "</s>"}


KINDS = {"unigram": unigram, "bpe": byte_pairs, "wordpiece": word_pieces}


def encoder_of(kind):
    """A small random one with a tokenizer of the kind, of ``KINDS``."""
    torch.manual_seed(0)
    backend, special = KINDS[kind]()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, unk_token="<unk>", pad_token="<pad>", mask_token="<mask>", model_max_length=64,
        **special,
    )  # fmt: skip
    config_of, model_of = (BertConfig, BertForMaskedLM) if kind == "wordpiece" else (RobertaConfig, RobertaForMaskedLM)
    config = config_of(
        vocab_size=len(tokenizer) + 3, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=80, pad_token_id=tokenizer.pad_token_id, bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id, initializer_range=0.2,
    )  # fmt: skip
    return Encoder(model_of(config).eval(), tokenizer, Pooling(), prompt="the ", prompts={"query": "a dog: "})

"""Checkpoint folders of two families of encoders, small ones."""

from __future__ import annotations

import torch
from conftest import tiny_tokenizer
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast, XLMRobertaConfig, XLMRobertaModel

SIZES = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}


def bert(folder):
    """Two token types, [CLS] a [SEP] b [SEP], letters are pieces and spaces are none."""
    from tokenizers import pre_tokenizers, processors

    tokenizer = tiny_tokenizer()
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Split("", "isolated")]
    )
    torch.manual_seed(0)
    config = BertConfig(vocab_size=56, max_position_embeddings=64, type_vocab_size=2, initializer_range=0.2, **SIZES)
    return saved(BertModel(config), tokenizer, folder)


def xlmr(folder):
    """One token type, <s> a </s></s> b </s>, and a piece of its own for the space before a word."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    letters = [chr(c) for c in (*range(97, 123), *range(0x3B1, 0x3CA))]
    pieces = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", "▁", "▁an", "ab", ".", ":", *letters]
    made = Tokenizer(models.Unigram([(piece, -float(len(piece) < 2)) for piece in pieces], unk_id=3))
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    made.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=made, model_max_length=64, bos_token="<s>", cls_token="<s>", eos_token="</s>",
        sep_token="</s>", pad_token="<pad>", unk_token="<unk>", mask_token="<mask>",
    )  # fmt: skip
    torch.manual_seed(0)
    config = XLMRobertaConfig(
        vocab_size=len(pieces), max_position_embeddings=66, type_vocab_size=1, initializer_range=0.2, pad_token_id=1,
        **SIZES,
    )  # fmt: skip
    return saved(XLMRobertaModel(config), tokenizer, folder)


def saved(model, tokenizer, folder):
    model.eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder

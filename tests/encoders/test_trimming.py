"""``align.trim``: fewer pieces, and the same vectors to the last bit, for WordPiece, BPE and unigram tokenizers."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from sentence_transformers import SentenceTransformer
from tokenizer_kinds import KINDS, LINES, encoder_of
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    AutoModelForMaskedLM,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaForMaskedLM,
)

import align
from align.encoders.encoder import Encoder
from align.encoders.pooling import Pooling
from align.encoders.trimming import coverage, trim, with_pieces
from align.encoders.vocabulary import pieces_to_keep
from align.errors import InputError

KEPT = LINES[:9]
"""Text of the user: English alone."""


@pytest.fixture(params=KINDS)
def encoder(request):
    return encoder_of(request.param)


@pytest.fixture
def text(tmp_path):
    file = tmp_path / "eng_Latn.txt"
    file.write_text("\n".join([*KEPT, "", "  "]) + "\n", encoding="utf-8")
    return file


def test_vectors_are_the_same_to_the_bit(encoder, text, tmp_path):
    about = trim(encoder, [text], tmp_path / "small")
    small = align.load_encoder(tmp_path / "small")
    assert about["lines"] == len(KEPT)
    assert about["pieces"]["after"] < about["pieces"]["before"] == len(encoder.tokenizer) + 3
    assert about["pieces"]["after"] == len(small.tokenizer) == small.model.config.vocab_size
    assert np.array_equal(small.encode(KEPT), encoder.encode(KEPT))
    other = LINES[-4:]
    assert not np.array_equal(small.encode(other), encoder.encode(other))
    assert small.fingerprint() != encoder.fingerprint()  # nothing encoded before is taken for its own
    assert (small.prompt, small.prompts, small.max_tokens) == (encoder.prompt, encoder.prompts, encoder.max_tokens)
    ids = encoder.tokenizer("a dog: ")["input_ids"]  # the other prompt, which no line has
    names = encoder.tokenizer.convert_ids_to_tokens(ids)
    assert small.tokenizer.convert_ids_to_tokens(small.tokenizer("a dog: ")["input_ids"]) == names
    plain = SentenceTransformer(str(tmp_path / "small"), device="cpu").encode(KEPT)
    np.testing.assert_allclose(plain, encoder.encode(KEPT), atol=1e-6)


def test_every_kept_piece_has_its_row_its_logit_and_its_name(encoder, text, tmp_path):
    trim(encoder, [text], tmp_path / "small")
    headed = AutoModelForMaskedLM.from_pretrained(tmp_path / "small" / "masked_lm")
    small = align.load_encoder(tmp_path / "small").tokenizer
    old = encoder.tokenizer.get_vocab()
    ids = torch.tensor([old[piece] for piece in small.convert_ids_to_tokens(range(len(small)))])
    assert (ids.diff() > 0).all()  # in their order
    rows = headed.get_input_embeddings().weight
    assert torch.equal(rows, encoder.model.get_input_embeddings().weight[ids])
    a, b = (torch.tensor([one(KEPT[0])["input_ids"]]) for one in (encoder.tokenizer, small))
    with torch.no_grad():
        torch.testing.assert_close(headed(b).logits, encoder.model(a).logits[..., ids], atol=1e-6, rtol=1e-6)
    assert small.mask_token_id is not None and small.decode(b[0]) == encoder.tokenizer.decode(a[0])
    for name in ("pad", "bos", "eos"):
        assert getattr(headed.config, f"{name}_token_id") == getattr(small, f"{name}_token_id")


def test_any_text_of_kept_pieces_is_split_as_before(encoder):
    """Random subsets of what the text uses: whatever is kept, a text of kept pieces alone has the same ids."""
    rng, ids = np.random.default_rng(0), encoder.tokenizer(LINES)["input_ids"]
    unchanged = changed = 0
    for _ in range(30):
        some = rng.choice(len(LINES), 4, replace=False)
        kept = pieces_to_keep(encoder.tokenizer, sorted({i for at in some for i in ids[at]}))
        new = {old: i for i, old in enumerate(kept)}
        small = with_pieces(encoder, kept).tokenizer
        for line, old in zip(LINES, ids, strict=True):
            if all(i in new for i in old):
                assert small(line)["input_ids"] == [new[i] for i in old]
                unchanged += 1
            else:
                assert len(small(line)["input_ids"]) >= 3  # in smaller pieces, or unknown ones
                changed += 1
    assert unchanged > 150 and changed > 50


def test_special_tokens_wherever_they_stand(tmp_path):
    pieces = ["[x]", "[PAD]", *"abcd", "α", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    backend = Tokenizer(models.WordLevel({piece: i for i, piece in enumerate(pieces)}, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    template = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 8), ("[SEP]", 9)])
    backend.post_processor = processors.Sequence([template])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]",
        mask_token="[MASK]", model_max_length=64,
    )  # fmt: skip
    kept = pieces_to_keep(tokenizer, [2, 3])
    assert kept == [0, 1, 2, 3, 4, 5, 7, 8, 9, 10]  # [x], as positions count from [PAD]; the letters; not alpha
    config = RobertaConfig(
        vocab_size=11, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=80, pad_token_id=1, bos_token_id=8, eos_token_id=9, cls_token_id=8,
    )  # fmt: skip
    encoder = Encoder(RobertaForMaskedLM(config).eval(), tokenizer, Pooling())
    small = with_pieces(encoder, kept)
    assert np.array_equal(small.encode(["abc", "da"]), encoder.encode(["abc", "da"]))
    assert (small.model.config.eos_token_id, small.tokenizer.sep_token_id, small.tokenizer.mask_token_id) == (8, 8, 9)


@pytest.mark.parametrize("encoder", ["unigram"], indirect=True)
def test_an_unknown_letter_costs_what_it_did(encoder):
    vocabulary = json.loads(encoder.tokenizer.backend_tokenizer.to_str())["model"]["vocab"]
    least = min(range(len(vocabulary)), key=lambda i: vocabulary[i][1])
    assert least in pieces_to_keep(encoder.tokenizer, [])


def test_scripts_and_rare_pieces(encoder, text, tmp_path):
    both = trim(encoder, [text], tmp_path / "both", scripts=["Grek"])
    english = trim(encoder, [text], tmp_path / "english")
    assert both["pieces"]["after"] > english["pieces"]["after"]
    frequent = trim(encoder, [text], tmp_path / "frequent", min_count=100)
    assert frequent["pieces"]["after"] < english["pieces"]["after"]


def test_coverage_by_hand(encoder, text, tmp_path):
    held_out = tmp_path / "held.txt"
    held_out.write_text(f"{KEPT[0]}\n{LINES[-1]}\n\n{KEPT[1]}\n", encoding="utf-8")
    about = trim(encoder, [text], tmp_path / "small", held_out=[held_out])["held_out"]
    assert about["lines"] == 3 and about["split_as_before"] == 2 / 3 and 0.5 < about["kept"] < 1
    assert coverage(encoder, [held_out], list(range(len(encoder.tokenizer) + 3)))["kept"] == 1


def test_what_was_cut_is_written_down(encoder, text, tmp_path):
    about = trim(encoder, [text], tmp_path / "small")
    kept = json.loads((tmp_path / "small" / "align.json").read_text())["trimmed"]
    assert kept["of"]["fingerprint"] == encoder.fingerprint() and list(kept["texts"]) == ["eng_Latn.txt"]
    weights = load_file(tmp_path / "small" / "masked_lm" / "model.safetensors")
    assert kept["pieces"] == about["pieces"]
    assert about["parameters"]["before"] - about["parameters"]["after"] == (
        (about["pieces"]["before"] - about["pieces"]["after"]) * 17  # a row of 16 and a bias of the head
    )
    assert sum(value.numel() for value in weights.values()) >= about["parameters"]["after"] - 64 * 16


def test_it_is_whole_or_not_at_all(encoder, tmp_path):
    (tmp_path / "blank.txt").write_text("\n \n")
    with pytest.raises(InputError, match=r"blank.txt: no line with text; expected a text a line"):
        trim(encoder, [tmp_path / "blank.txt"], tmp_path / "small")
    with pytest.raises(InputError, match="min_count must be 1 or more, got 0"):
        trim(encoder, [tmp_path / "blank.txt"], tmp_path / "small", min_count=0)
    with pytest.raises(InputError, match="an encoder in memory is as it is"):
        trim(encoder, [tmp_path / "blank.txt"], tmp_path / "small", layer=1)
    assert not (tmp_path / "small").exists()


def test_a_tokenizer_that_splits_otherwise_is_refused(encoder, text, tmp_path, monkeypatch):
    monkeypatch.setattr("align.encoders.trimming.cut", lambda tokenizer, kept: encoder.tokenizer)
    with pytest.raises(InputError, match="the tokenizer does not fit the model|cannot be trimmed"):
        trim(encoder, [text], tmp_path / "small")


def test_the_verb(align, bert_folder, tmp_path):
    (tmp_path / "lines.txt").write_text("abc\ncab\n")
    printed = json.loads(align("trim", bert_folder, "lines.txt", "--held-out", "lines.txt", "--out", "small").out)
    assert printed["pieces"] == {"before": 5 + 26 + 25, "after": 5 + 26}  # the letters of a script stay
    assert printed["held_out"] == {"lines": 2, "split_as_before": 1.0, "kept": 1.0}
    align("encode", "small", "lines.txt", "--out", "v")

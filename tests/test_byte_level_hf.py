"""`ByteModel.from_huggingface` and healing inside `generate`, with a tiny model of random weights."""

from __future__ import annotations

import numpy as np
import pytest

from bytewright.byte_level import END, ByteModel
from bytewright.errors import InvalidArgumentError, InvalidLogitsError
from bytewright.fim import encode, heal

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
tokenizers = pytest.importorskip("tokenizers")

from tiny_models import generate_healed, make_model_and_tokenizer  # noqa: E402  # after the checks that it can be imported


@pytest.fixture(scope="module")
def parts():
    return make_model_and_tokenizer()


def test_bytes_from_a_model_and_its_tokenizer(parts):
    model = ByteModel.from_huggingface(*parts)
    plain = ByteModel.from_huggingface(*parts, use_cache=False)
    texts = [b"", b"th", b" the thing", b"\xff\xfe", "é".encode(), b"sing  th"]
    rows = model.next_byte_log_probs(texts)
    np.testing.assert_allclose(np.exp(rows).sum(axis=1), 1.0, atol=1e-9)
    np.testing.assert_allclose(rows, plain.next_byte_log_probs(texts), atol=1e-3)
    # "th" is a token, or the beginning of "the": by hand, from two contexts.
    transformer, tokenizer = parts
    ids = {t: tokenizer.convert_tokens_to_ids(t) for t in ("th", "the", "</s>")}

    def probabilities(tokens):
        with torch.no_grad():
            return torch.softmax(transformer(torch.tensor([tokens])).logits[0, -1].double(), -1).numpy()

    start = [tokenizer.bos_token_id]
    first, then = probabilities(start), probabilities([*start, ids["th"]])
    info = model.rules.tokenizer_info
    weights = np.zeros(257)
    for token in range(261):
        text = info.token_bytes(token)
        if model.rules.is_canonical([ids["th"], token]):
            weights[text[0]] += first[ids["th"]] * then[token]
    weights[END] = first[ids["th"]] * then[ids["</s>"]]
    weights[ord("e")] += first[ids["the"]]
    np.testing.assert_allclose(np.exp(rows[1]), weights / weights.sum(), atol=1e-5)


def test_generate_goes_on_from_a_healed_end(parts):
    transformer, tokenizer = parts
    model = ByteModel.from_huggingface(*parts)
    rng = np.random.default_rng(0)
    healed = heal(model, b"sing th", rng=rng)
    before = [tokenizer.bos_token_id, *encode(model.rules, b"sing th")]
    assert before[1:] == tokenizer.encode("sing th", add_special_tokens=False)
    assert healed.tokens[: healed.kept] == before[: healed.kept]
    out = generate_healed(transformer, healed)
    assert out[: len(healed.tokens)] == healed.tokens


def test_what_does_not_belong_together_is_an_error(parts):
    transformer, tokenizer = parts
    bare = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer.backend_tokenizer)
    with pytest.raises(InvalidArgumentError, match="start token"):
        ByteModel.from_huggingface(transformer, bare)
    # No start token at all: an empty context is refused when the text is empty.
    with pytest.raises(InvalidArgumentError, match="start token"):
        _ = ByteModel.from_huggingface(transformer, tokenizer, start=[]).start().log_probs
    # Rules of another width than the model's.
    from bytewright.byte_level import TransformersModel, rules_from_huggingface

    narrow = rules_from_huggingface(tokenizer)
    with pytest.raises(InvalidLogitsError, match="vocab_size"):
        _ = ByteModel(TransformersModel(transformer), narrow, start=[1]).start().log_probs

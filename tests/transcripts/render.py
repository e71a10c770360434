"""Writes `turns.jsonl`: turns of assistants as the models' own chat templates write them.

    pip download --no-deps --no-binary llama-cpp-python llama-cpp-python==0.3.36
    python tests/transcripts/render.py llama_cpp_python-0.3.36.tar.gz

The source archive of llama-cpp-python has the templates of many models, as their publishers ship them, below
`models/templates/`. Mistral's own tokenizers are asked through `mistral-common`. The tests read the result.
"""

from __future__ import annotations

import json
import sys
import tarfile
import types
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import jinja2

HERE = Path(__file__).resolve().parent

TOOLS: list[dict[str, Any]] = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "The weather of a city.",
            "parameters": {
                "type": "object",
                "properties": {
                    "city": {"type": "string", "description": "Its name"},
                    "days": {"type": "integer", "description": "How many"},
                },
                "required": ["city"],
            },
        },
    },
    {
        "type": "function",
        "function": {
            "name": "search",
            "description": "Finds documents.",
            "parameters": {
                "type": "object",
                "properties": {
                    "query": {"type": "string", "description": "What to find"},
                    "exact": {"type": "boolean", "description": "Words as they are"},
                    "score": {"type": "number", "description": "The least"},
                    "tags": {"type": "array", "items": {"type": "string"}, "description": "All of them"},
                    "range": {
                        "type": "object",
                        "properties": {"from": {"type": "integer"}, "to": {"type": "integer"}},
                        "description": "Years",
                    },
                },
                "required": ["query"],
            },
        },
    },
    {
        "type": "function",
        "function": {
            "name": "get_time",
            "description": "The time.",
            "parameters": {"type": "object", "properties": {}},
        },
    },
]

QUESTION = {"role": "user", "content": "What is the weather in Zürich?"}
THOUGHT = "They ask for the weather.\nThere is a tool <for> it."


def _message(content: str, *calls: tuple[str, dict[str, Any]], thought: str = "") -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": content}
    if calls:
        message["tool_calls"] = [
            {"id": f"call{n:05d}", "type": "function", "function": {"name": name, "arguments": arguments}}
            for n, (name, arguments) in enumerate(calls)
        ]
    if thought:
        # Templates call it by one name or the other.
        message |= {"reasoning_content": thought, "thinking": thought}
    return message


WEATHER = ("get_weather", {"city": "Zürich", "days": 3})
SEARCH = (
    "search",
    {
        "query": 'say "hello" & <b>\nbye \\o/',
        "exact": True,
        "score": 0.5,
        "tags": ["a b", "ü"],
        "range": {"from": -3, "to": 2024},
    },
)
MESSAGES = {
    "text": _message("It is sunny, {about} 20 degrees."),
    "call": _message("", WEATHER),
    "text and call": _message("Let me see.", ("get_weather", {"city": "Zürich"})),
    "long call": _message("", SEARCH),
    "call without arguments": _message("", ("get_time", {})),
    "two calls": _message("", ("get_weather", {"city": "Paris"}), ("get_time", {})),
    "thought and text": _message("It is sunny.", thought=THOUGHT),
    "thought and call": _message("", WEATHER, thought=THOUGHT),
}

_LLAMA = ("<|start_header_id|>assistant<|end_header_id|>\n\n", ["<|eot_id|>", "<|eom_id|>"])
_CHATML = ("<|im_start|>assistant\n", ["<|im_end|>"])
_DEEPSEEK = ("<｜Assistant｜>", ["<｜end▁of▁sentence｜>"])  # noqa: RUF001
_KIMI = ("<|im_assistant|>assistant<|im_middle|>", ["<|im_end|>"])
_MISTRAL = ("[/INST]", ["</s>"])
_HARMONY = ("<|start|>assistant", ["<|return|>", "<|call|>"])
_GLM = ("<|assistant|>", ["<|user|>"])

Marks: TypeAlias = tuple[str, list[str]]

# For each format its templates, with what stands before an assistant's turn and what ends it.
TEMPLATES: dict[str, list[tuple[str, Marks]]] = {
    "llama3": [(f"meta-llama-Llama-{name}-Instruct", _LLAMA) for name in ("3.1-8B", "3.2-3B", "3.3-70B")],
    "llama3_function": [("meetkai-functionary-medium-v3.1", _LLAMA)],
    "hermes": [
        ("NousResearch-Hermes-2-Pro-Llama-3-8B-tool_use", _CHATML),
        ("NousResearch-Hermes-3-Llama-3.1-8B-tool_use", _CHATML),
    ],
    "qwen": [(name, _CHATML) for name in ("Qwen-Qwen2.5-7B-Instruct", "Qwen-Qwen3-0.6B", "Qwen-QwQ-32B")],
    "qwen_coder": [("Qwen3-Coder", _CHATML), ("Qwen3.5-4B", _CHATML)],
    "deepseek": [
        ("deepseek-ai-DeepSeek-R1-Distill-Qwen-32B", _DEEPSEEK),
        ("llama-cpp-deepseek-r1", _DEEPSEEK),
    ],
    "deepseek_v3_1": [("deepseek-ai-DeepSeek-V3.1", _DEEPSEEK)],
    "deepseek_v3_2": [("deepseek-ai-DeepSeek-V3.2", _DEEPSEEK)],
    "deepseek_v4": [("deepseek-ai-DeepSeek-V4", _DEEPSEEK)],
    "mistral": [("mistralai-Mistral-Nemo-Instruct-2407", _MISTRAL)],
    "mistral_v11": [
        ("Mistral-Small-3.2-24B-Instruct-2506", _MISTRAL),
        ("unsloth-mistral-Devstral-Small-2507", _MISTRAL),
        ("mistralai-Ministral-3-14B-Reasoning-2512", _MISTRAL),
    ],
    "harmony": [("openai-gpt-oss-120b", _HARMONY)],
    "kimi": [(name, _KIMI) for name in ("moonshotai-Kimi-K2", "Kimi-K2-Instruct", "Kimi-K2-Thinking")],
    "glm": [("GLM-4.6", _GLM), ("GLM-4.7-Flash", _GLM)],
}


def _environment() -> jinja2.Environment:
    """As `transformers` has it, but lists may change and `tojson` takes generators: some need it."""
    import jinja2.ext
    import jinja2.sandbox

    environment = jinja2.sandbox.SandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[jinja2.ext.loopcontrols]
    )

    def tojson(value: Any, ensure_ascii: bool = False, **options: Any) -> str:
        value = list(value) if isinstance(value, types.GeneratorType) else value
        return json.dumps(value, ensure_ascii=ensure_ascii, **options)

    def refuse(message: str) -> None:
        raise jinja2.TemplateError(message)

    environment.filters["tojson"] = tojson
    environment.globals |= {"raise_exception": refuse, "strftime_now": lambda _: "2026-01-01"}
    return environment


def turn(template: str, message: dict[str, Any], marks: Marks) -> str | None:
    """What a template writes for an assistant's message, without what begins and ends a turn.

    None where the template refuses the message: some take one call at a time.
    """
    import jinja2

    compiled = _environment().from_string(template)
    options = {"tools": TOOLS, "bos_token": "<s>", "eos_token": "</s>", "add_generation_prompt": False}
    try:
        text = compiled.render(messages=[QUESTION, message], **options)
    except jinja2.TemplateError:
        return None
    begin, ends = marks
    out = text.partition(QUESTION["content"])[2].partition(begin)[2]
    for end in ends:
        out = out.partition(end)[0]
    return out


def of_templates(archive: Path) -> list[dict[str, str]]:
    """All turns, by format, model and message; a turn that the same template writes again is left out."""
    with tarfile.open(archive) as files:
        texts = {
            Path(member.name).stem: content.read().decode()
            for member in files
            if member.name.endswith(".jinja") and (content := files.extractfile(member)) is not None
        }
    out = []
    for chat_format, templates in TEMPLATES.items():
        for name, marks in templates:
            seen = set()
            for case, message in MESSAGES.items():
                text = turn(texts[name], message, marks)
                if text and text not in seen:
                    seen.add(text)
                    out.append({"format": chat_format, "source": name, "message": case, "turn": text})
    return out


def of_mistral() -> list[dict[str, str]]:
    """The same by the tokenizers of `mistral-common`, whose text has a sign for a blank."""
    from mistral_common.protocol.instruct.messages import AssistantMessage, ToolMessage, UserMessage
    from mistral_common.protocol.instruct.request import ChatCompletionRequest
    from mistral_common.tokens.tokenizers.mistral import MistralTokenizer

    out = []
    for version in ("v3", "v7"):
        tokenizer = getattr(MistralTokenizer, version)()
        for case, message in MESSAGES.items():
            if "thought" in case:
                continue
            calls = [
                {
                    **call,
                    "function": {**call["function"], "arguments": json.dumps(call["function"]["arguments"])},
                }
                for call in message.get("tool_calls", [])
            ]
            content = None if calls else message["content"]
            answers = [
                ToolMessage(tool_call_id=call["id"], name=call["function"]["name"], content="1")
                for call in calls
            ]
            turns = [UserMessage(content="?"), AssistantMessage(content=content, tool_calls=calls or None)]
            request = ChatCompletionRequest(
                messages=[*turns, *(answers or [UserMessage(content="And then?")])], tools=TOOLS
            )
            text = tokenizer.encode_chat_completion(request).text.replace("\u2581", " ")
            text = text.partition("[/INST]")[2].partition("</s>")[0]
            out.append(
                {"format": "mistral", "source": f"mistral-common {version}", "message": case, "turn": text}
            )
    return out


if __name__ == "__main__":
    turns = [*of_templates(Path(sys.argv[1])), *of_mistral()]
    lines = [json.dumps(turn, ensure_ascii=False) for turn in turns]
    (HERE / "turns.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{len(turns)} turns of {len({turn['source'] for turn in turns})} sources")

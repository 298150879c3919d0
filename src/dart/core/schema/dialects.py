"""What providers of the chat interface want to be sent, as presets that an endpoint of a profile names (`dialect`).

"OpenAI-compatible" says little: some refuse `max_tokens`, some a temperature, some think unless told not to, some
ignore a JSON mode. A preset is a set of defaults for fields of `Endpoint`; what the profile states takes precedence.
Sources, looked up on 2026-11-21 in stored copies of these pages; docs/howto/endpoints.md says what was not verified.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

_OPENAI: Mapping[str, Any] = MappingProxyType(
    {
        # "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
        # and "'temperature' does not support 0.16 with this model. Only the default (1)": decolua/9router#560 (2026-04)
        "max_tokens_field": "max_completion_tokens",
        "temperature": None,
        "top_p": None,
        "json_mode": "json_schema",
        "extra_body": {"reasoning_effort": "none"},  # GPT-5.4 and later: none, low, medium, high, xhigh
    }
)

# Deviates from the paper: hosted-models - deepseek-chat and gpt-4 are gone, and their successors take other requests
DIALECTS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        # api-docs.deepseek.com/guides/thinking_mode: thinking is on by default; extra_body {"thinking": {"type": ...}};
        # the chain of thought comes as reasoning_content. quick_start/pricing: JSON output is json_object.
        "deepseek": {"extra_body": {"thinking": {"type": "disabled"}}, "json_mode": "json_object"},
        "openai": _OPENAI,
        # learn.microsoft.com/azure/foundry/openai/api-version-lifecycle: since 2025-08 a base_url .../openai/v1 without
        # api-version takes OpenAI's requests; `model` is the name of the deployment. A filtered prompt is HTTP 400 with
        # code content_filter, a filtered answer finish_reason content_filter.
        "azure": _OPENAI,
        # togethercomputer/together-python, types/common.py: finish reasons stop, eos, length; json_schema is documented
        # for some models only.
        "together": {"json_mode": "json_object"},
        # platform.claude.com/docs/en/api/openai-sdk: response_format and seed are ignored, n must be 1. From Opus 4.7
        # on a temperature is refused ("`temperature` is deprecated for this model.": inspect_ai#3721, 2026-04).
        "anthropic": {"temperature": None, "top_p": None, "json_mode": "none", "seed_field": None},
        # docs.vllm.ai/en/stable/features/reasoning_outputs: chat_template_kwargs; reasoning comes as `reasoning`,
        # formerly reasoning_content, or as <think> in the text where no parser is set. Structured outputs: json_schema.
        "vllm": {"json_mode": "json_schema", "extra_body": {"chat_template_kwargs": {"enable_thinking": False}}},
        # transformers 5.x, cli/serving/chat_completion.py: response_format is ignored with a warning; both names of the
        # limit are read.
        "transformers": {"json_mode": "none"},
    }
)

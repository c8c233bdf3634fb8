"""What streamtui knows without being told: dialects, and endpoints that need only a key.

A table, no code: a vendor is a row.
"""

from msgspec import Struct

EMBEDDED_DEMO_URL = "demo:"
"""As a `base_url`: the demo server inside the program, started when it is first needed."""

DEMO_ENDPOINT = "demo"
DEMO_MODEL = "demo/verse"
DEMO_OPENAI_MODELS = ("gpt-3.5-turbo-instruct", "gpt-4o-mini")
"""The demo's models that are called otherwise than `demo/NAME`: as in examples for OpenAI."""

DIALECTS = (
    "openai-chat",
    "openai-completions",
    "openai-responses",
    "anthropic",
    "gemini",
    "ollama",
    "langserve",
    "langgraph",
    "sse",
)


class KnownEndpoint(Struct, frozen=True):
    """An endpoint that is there as soon as its key is in the environment.

    Without a key there is one where it is named, or where its `base_url_env` says that it is used.
    """

    name: str
    dialect: str
    base_url: str
    model: str = ""
    key_env: str = ""
    base_url_env: str = ""
    """The variable with which the vendor's own client is sent elsewhere."""


KNOWN_ENDPOINTS = (
    KnownEndpoint(
        "openai",
        "openai-chat",
        "https://api.openai.com/v1",
        "gpt-4o-mini",
        "OPENAI_API_KEY",
        "OPENAI_BASE_URL",
    ),
    KnownEndpoint(
        "anthropic",
        "anthropic",
        "https://api.anthropic.com",
        "claude-sonnet-4-5",
        "ANTHROPIC_API_KEY",
        "ANTHROPIC_BASE_URL",
    ),
    KnownEndpoint(
        "gemini",
        "gemini",
        "https://generativelanguage.googleapis.com",
        "gemini-2.5-flash",
        "GEMINI_API_KEY",
    ),
    KnownEndpoint(
        "openrouter",
        "openai-chat",
        "https://openrouter.ai/api/v1",
        "openai/gpt-4o-mini",
        "OPENROUTER_API_KEY",
    ),
    KnownEndpoint(
        "deepseek",
        "openai-chat",
        "https://api.deepseek.com/v1",
        "deepseek-chat",
        "DEEPSEEK_API_KEY",
    ),
    KnownEndpoint(
        "groq",
        "openai-chat",
        "https://api.groq.com/openai/v1",
        "llama-3.3-70b-versatile",
        "GROQ_API_KEY",
    ),
    KnownEndpoint(
        "mistral",
        "openai-chat",
        "https://api.mistral.ai/v1",
        "mistral-small-latest",
        "MISTRAL_API_KEY",
    ),
    KnownEndpoint("ollama", "ollama", "http://127.0.0.1:11434", base_url_env="OLLAMA_HOST"),
)

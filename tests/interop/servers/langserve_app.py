"""A LangServe application with a runnable of every sort; run as a program."""

from typing import Any

import uvicorn
from fastapi import FastAPI
from langchain_core.language_models.fake import FakeStreamingListLLM
from langchain_core.messages import AnyMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import Runnable, RunnableLambda, RunnableParallel
from langserve import add_routes

from tests.interop.servers import given_socket
from tests.interop.servers.models import BLOCKS, BREAKING, CALLER, SEPARATOR, TALKER, THINKER

_TEXT = StrOutputParser()


def _tell(messages: list[AnyMessage]) -> str:
    return " / ".join(f"{message.type}: {message.text}" for message in messages)


RUNNABLES: dict[str, Runnable[Any, Any]] = {
    "talker": TALKER,
    "thinker": THINKER,
    "blocks": BLOCKS,
    "caller": CALLER,
    "breaking": BREAKING,
    "separator": SEPARATOR,
    "llm": FakeStreamingListLLM(responses=["plain text 你好 🎉"]),
    "chain": ChatPromptTemplate.from_template("Write about {topic}.") | TALKER | _TEXT,
    "texts": RunnableParallel(first=TALKER | _TEXT, second=THINKER | _TEXT),
    "messages": RunnableParallel(first=TALKER, second=THINKER),
    "echo": RunnableLambda(_tell).with_types(input_type=list[AnyMessage]),
}


def main() -> None:
    app = FastAPI()
    for name, runnable in RUNNABLES.items():
        add_routes(app, runnable, path=f"/{name}")
    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[given_socket()])


if __name__ == "__main__":
    main()

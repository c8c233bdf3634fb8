"""LangGraph's own server, in memory, with the graphs of these tests; run as a program."""

from typing import Any
from unittest.mock import patch

import uvicorn
from langgraph_api.cli import run_server  # type: ignore[import-untyped]

from tests.interop.servers import given_socket, graphs

NAMES = ("agent", "talker", "thinker", "blocks", "breaking", "slow")


def main() -> None:
    listener = given_socket()

    def run(app: str, **options: Any) -> None:
        uvicorn.Server(uvicorn.Config(app, **options)).run(sockets=[listener])

    # It would choose a port that the tests do not know.
    with patch("uvicorn.run", run):
        run_server(
            graphs={name: f"{graphs.__file__}:{name}" for name in NAMES},
            disable_persistence=True,
            n_jobs_per_worker=4,
        )


if __name__ == "__main__":
    main()

"""What it costs to take in a thousand streams at once, with no screen.

    python -m tests.bench.ingest [--streams 1000] [--rate 10] [--seconds 8] [--json]

CPU for each token of our engine with a listener that only counts, beside a bare aiohttp program
that reads the same and parses its JSON. Prints figures and asserts nothing about them.
"""

import argparse
import asyncio
import json
import resource
import subprocess
import sys
import time

import aiohttp

from streamtui.config import Endpoint
from streamtui.engine.doors import OpenSession, Send
from streamtui.engine.host import EngineThread
from streamtui.events import Chunk
from tests.bench.programs import bench_server
from tests.scripted import no_demo

WARM_UP = 3.0
FILES = 8_192


def ours(url: str, streams: int, rate: int, count: int, seconds: float) -> tuple[int, float]:
    """Tokens that came in so many seconds, and the CPU seconds that took."""
    endpoint = Endpoint("bench", "openai-chat", url, f"tokens/{rate}/{count}")
    engine = EngineThread(no_demo)
    events = engine.subscribe(lambda: None)
    for number in range(streams):
        engine.execute(OpenSession(f"s{number}", endpoint))
        engine.execute(Send(f"s{number}", f"r{number}", "go"))

    def drain(until: float) -> int:
        tokens = 0
        while time.monotonic() < until:
            for event in events.drain():
                if isinstance(event.body, Chunk):
                    tokens += event.body.merged
            time.sleep(0.05)
        return tokens

    drain(time.monotonic() + WARM_UP)
    before = time.process_time()
    tokens = drain(time.monotonic() + seconds)
    return tokens, time.process_time() - before


async def floor(url: str, streams: int, rate: int, count: int, seconds: float) -> tuple[int, float]:
    """The same of aiohttp and `json` alone."""
    tokens = 0
    body = {"model": f"tokens/{rate}/{count}", "messages": [{"role": "user", "content": "go"}]}

    async def read(session: aiohttp.ClientSession) -> None:
        nonlocal tokens
        async with session.post(f"{url}/chat/completions", json=body) as response:
            async for line in response.content:
                if line.startswith(b"data: {"):
                    json.loads(line[6:])
                    tokens += 1

    async with (
        aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(None)
        ) as session,
        asyncio.TaskGroup() as tasks,
    ):
        readers = [tasks.create_task(read(session)) for _ in range(streams)]
        await asyncio.sleep(WARM_UP)
        tokens, before = 0, time.process_time()
        await asyncio.sleep(seconds)
        found = tokens, time.process_time() - before
        for reader in readers:
            reader.cancel()
    return found


def child(which: str, *arguments: str) -> dict[str, float]:
    """One of them in a process of its own."""
    command = [sys.executable, "-m", "tests.bench.ingest", "--only", which, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--streams", type=int, default=1_000)
    parser.add_argument("--rate", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--only", choices=("ours", "floor"), help=argparse.SUPPRESS)
    parser.add_argument("--url", default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(FILES, hard), hard))
    count = int(options.rate * (options.seconds + WARM_UP + 10))
    given = (options.url, options.streams, options.rate, count, options.seconds)
    if options.only:
        found = ours(*given) if options.only == "ours" else asyncio.run(floor(*given))
        print(json.dumps({"tokens": found[0], "cpu": found[1]}), flush=True)
        return
    same = [f"--{name}={getattr(options, name)}" for name in ("streams", "rate", "seconds")]
    with bench_server() as url:
        figures = {which: child(which, *same, f"--url={url}") for which in ("floor", "ours")}
    tell(figures, options.streams, as_json=options.json)


def tell(figures: dict[str, dict[str, float]], streams: int, *, as_json: bool) -> None:
    """One line."""
    costs = {which: 1e6 * found["cpu"] / found["tokens"] for which, found in figures.items()}
    ratio = costs["ours"] / costs["floor"]
    if as_json:
        tokens = {f"{which}_tokens": found["tokens"] for which, found in figures.items()}
        micros = {f"{which}_us_per_token": cost for which, cost in costs.items()}
        print(json.dumps({"scenario": "ingest", "ratio": ratio, **micros, **tokens}))
        return
    print(
        f"ingest, {streams:,} streams: {costs['ours']:.0f} µs/token, bare aiohttp"
        f" {costs['floor']:.0f} µs: {ratio:.2f} times  goal 2 times"
    )


if __name__ == "__main__":
    main()

"""`streamtui run` into a pipe: when its request leaves, its first byte, and 20,000 tokens in all.

    python -m tests.bench.command_line [--tokens 20000] [--runs 5] [--json]

Beside a bare aiohttp script that asks and prints the same, in the same run. Prints figures and
asserts nothing about them.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time

from tests.bench.programs import Home, bell, bench_server, home

FLOOR = """
import asyncio, json, sys, aiohttp
async def main(url, model):
    body = {"model": model, "messages": [{"role": "user", "content": "go"}], "stream": True}
    async with aiohttp.ClientSession() as session:
        async with session.post(url + "/chat/completions", json=body) as response:
            async for line in response.content:
                if line.startswith(b"data: {"):
                    choice = json.loads(line[6:])["choices"][0]
                    sys.stdout.write(choice["delta"].get("content") or "")
                    sys.stdout.flush()
asyncio.run(main(*sys.argv[1:]))
"""


def times(command: list[str], there: Home) -> tuple[float, float]:
    """Seconds to the first byte, and to the end."""
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=there.environ, bufsize=0) as program:
        assert program.stdout is not None
        program.stdout.read(1)
        first = time.perf_counter() - began
        while program.stdout.read(1 << 16):
            pass
    if program.returncode:
        raise RuntimeError(f"{command} ended with {program.returncode}")
    return first, time.perf_counter() - began


def request_leaves(there: Home) -> float:
    """Seconds from the start of the program until its request is there."""
    with bell(there) as (program, rings):
        began = time.perf_counter()
        command = [*program, "run", "-e", "bell", "go"]
        subprocess.run(command, env=there.environ, capture_output=True, check=False, timeout=60)
        return rings.get() - began


def measure(tokens: int, runs: int) -> dict[str, float]:
    ours, floor, leaves = [], [], []
    with bench_server() as url, home() as there:
        there.configure(url)
        model = f"tokens/0/{tokens}"
        command = [sys.executable, "-m", "streamtui", "run", "-e", f"bench/{model}", "go"]
        bare = [sys.executable, "-c", FLOOR, url, model]
        for _ in range(runs):
            ours.append(times(command, there))
            floor.append(times(bare, there))
            leaves.append(request_leaves(there))
    return {
        "request_leaves_s": statistics.median(leaves),
        "first_byte_s": statistics.median(first for first, _ in ours),
        "all_s": statistics.median(end for _, end in ours),
        "bare_first_byte_s": statistics.median(first for first, _ in floor),
        "bare_all_s": statistics.median(end for _, end in floor),
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--tokens", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = measure(options.tokens, options.runs)
    if options.json:
        print(json.dumps({"scenario": "command line", **found}))
        return
    print(
        f"streamtui run, {options.tokens:,} tokens into a pipe: {found['all_s']:.2f} s,"
        f" first byte {found['first_byte_s']:.2f} s, request leaves after"
        f" {found['request_leaves_s']:.2f} s; bare aiohttp {found['bare_all_s']:.2f} s and"
        f" {found['bare_first_byte_s']:.2f} s  goal 0.6 s, 0.3 s, 0.25 s"
    )


if __name__ == "__main__":
    main()

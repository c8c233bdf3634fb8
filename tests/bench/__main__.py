"""All figures, one program after the other.

    python -m tests.bench [--json] [--short]

`--short` shows that each of them works, in little time; its figures say nothing.
"""

import argparse
import subprocess
import sys

PROGRAMS: dict[str, tuple[str, ...]] = {
    "panes": ("--seconds", "1", "2x20"),
    "long_answer": (),
    "event_log": ("--seconds", "1", "--rate", "200", "console"),
    "resize": ("--panes", "2", "--turns", "1", "--sizes", "3"),
    "idle": ("--seconds", "1", "--panes", "2"),
    "command_line": ("--tokens", "200", "--runs", "1"),
    "ingest": ("--streams", "5", "--seconds", "1"),
    "thin_line": ("--seconds", "1", "--line", "terminal", "2x20"),
    "first_frame": ("--runs", "1"),
    "journal": (),
}
"""Each with what makes it short; nothing where that is not offered."""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--short", action="store_true")
    options = parser.parse_args()
    for name, short in PROGRAMS.items():
        if options.short and not short:
            continue
        given = [*(short if options.short else ()), *(["--json"] if options.json else [])]
        print(f"# {name}", file=sys.stderr, flush=True)
        subprocess.run([sys.executable, "-m", f"tests.bench.{name}", *given], check=True)


if __name__ == "__main__":
    main()

"""`python -m streamtui`, and the entry point of the program."""

from streamtui.cli import main

if __name__ == "__main__":
    main()

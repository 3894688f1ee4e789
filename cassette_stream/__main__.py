"""``python -m cassette_stream``."""

from cassette_stream.cli import main

if __name__ == "__main__":
    main()

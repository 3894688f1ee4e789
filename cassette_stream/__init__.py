"""cassette-stream."""

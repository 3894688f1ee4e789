"""The version, for the package, its builds and the header of every cassette."""

__version__ = "0.1.0"

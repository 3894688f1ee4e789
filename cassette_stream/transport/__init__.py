"""Where the core meets HTTP libraries. Import its modules: each costs what it imports."""

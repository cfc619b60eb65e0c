"""The command line: check, init, demo, ui, dashboard."""

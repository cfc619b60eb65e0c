"""The command line: check, init, demo, ui. It stands above everything and does nothing that the assets could do."""

"""The gateway: the HTTP server that routes requests to the versions that are served here."""

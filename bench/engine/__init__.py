"""The engine in process: scans, forged codes, commands beside scans, opening after a crash."""

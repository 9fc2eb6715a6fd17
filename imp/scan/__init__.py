"""查: scans and look-ups over the API."""

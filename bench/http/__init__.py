"""Scans over HTTP: the front, the documented route, nginx + Lua + Redis and a static answer, each on the same core."""

"""A mixed load on a real server: people who scan, people who forge, systems that call the API.

`python -m loadtest` makes a data directory, serves it, loads it for a minute, and says whether the service levels held.
"""

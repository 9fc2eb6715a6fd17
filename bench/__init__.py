"""Measurements beside their peers: every figure of the README, taken in one run on one machine.

`python -m bench` runs all groups; `python -m bench.table` writes docs/measurements.md and the README's table from
bench/results. Absolute times do not travel between machines; the claims are the ratios.
"""

"""Exports: an order's codes as files for printers and suppliers.

A *job file* says everything about an export except its keys. A job process (`python -m imp.issuing.export JOB`) derives
the codes from key and serial, without the engine, chunk by chunk; an interrupted export goes on at the chunk and ends
with the same bytes. `stream` gives the same rows to HTTP answers.
"""

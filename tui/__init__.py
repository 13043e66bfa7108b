"""The app `ccafl-tui`: watch, compare and steer runs from a terminal.

It is a client like the command line: it reads the database and asks; it owns no run.
"""

"""Checks of the product against a folder of reference numbers, one function per file."""

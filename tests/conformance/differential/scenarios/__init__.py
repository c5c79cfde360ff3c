"""Scenarios by area. Each module defines SCENARIOS; see the words in ../words.py."""

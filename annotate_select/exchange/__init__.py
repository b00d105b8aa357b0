"""In and out: annotations read from CSV and JSONL, planned before any of them is recorded, and written again.

Picks are written for people and for other tools (paths, Label Studio), labelled images as an ImageFolder. Every file
is written whole or not at all, and what is written comes back unchanged when it is read.
"""

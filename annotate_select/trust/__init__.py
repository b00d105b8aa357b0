"""Whether to believe it: the exam and its intervals, what must not leak into it, and whether picking beats chance.

Pure: arrays in, small frozen dataclasses out; no paths and no database.
"""

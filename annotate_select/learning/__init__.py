"""What was learned: classifier heads on features, their calibration, and their form as bytes.

Pure: arrays in, small frozen dataclasses out; no paths and no database. Classes are numbers here; callers name them.
"""

"""One file a verb: open what it needs, call one room, store the result.

`Project` has a method for each; the methods are the doors, these files are what is behind them.
"""

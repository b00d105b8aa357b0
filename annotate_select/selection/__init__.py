"""What to label next.

Arrays in, rows out: `select.select` checks its input, draws the audit and asks one strategy of `table.STRATEGIES`,
a function over a frozen `pool.Pool`. Families of strategies stand in chance, coverage, uncertainty, rare, both and
auto; the engines under them in clustering, farthest and guard.
"""

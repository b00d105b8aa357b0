"""What to label next.

Arrays in, rows out: `select.select` checks its input, draws the audit and asks one strategy of `table.STRATEGIES`,
a function over a frozen `pool.Pool`. The engines under the strategies stand in clustering and neighbours (FAISS),
farthest, covering and graph; what keeps a batch from repeating itself in guard and allowed.
"""

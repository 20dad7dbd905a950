"""Are compositions from a generator like those known, new, and what was asked for?"""

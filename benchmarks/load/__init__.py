"""A lab at full speed against the whole stack: what it takes, how long it waits, what it costs.

Open-loop: every call has a time at which it is due, whatever became of the one before, and its latency counts from
then on. A service that stalls is so charged with all who would have come meanwhile.
"""

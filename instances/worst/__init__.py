"""The book of worst instances: one saved bound for each policy and setting, found by search or taken from the families.

The files are what `kvratio.problem.Bound.save` writes: instance, optimal schedule, certificates. The instance's info
says for which policy it stands and what that policy pays (`kvratio.suite.search.book` reads and replays it).
"""

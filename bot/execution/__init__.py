"""`tocsin exec`: a command under a lock and a time limit, its run written down and reported.

It starts with every job of every crontab, so it imports the standard library only, and little of that.
"""

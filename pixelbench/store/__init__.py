"""Runs and their traces: spec, run key, record, atomic writes, locks, tidy frame. No torch, directly or through others.

The frame is not imported here, since pandas takes longer to load than a plan takes to make.
"""

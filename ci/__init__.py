"""Emulators as test machines: boots, watches, judges.

Programs: `python3 -m ci.demo`, `ci.run`, `ci.suite`, `ci.bench`, `ci.uart`.
"""

"""The pretend outside world: phones, an aggregator and operators that speak the true wire formats over HTTP.

It imports nothing of the product and shares no code with it: it is a second, independent reading of the same documents.
Start it with `python -m sandbox CONFIG.json`; `sandbox/settings.py` says what CONFIG.json holds.
"""

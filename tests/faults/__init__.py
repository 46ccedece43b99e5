"""Things that are broken for real, and what must hold all the same.

A fault is a module of its own, in the folder of what is broken, with a function `(place, size) -> figures`, which
raises when the promise breaks, and a `FAULT` that describes it; `catalogue.py` lists it. Its small size then runs with
the tests, and its full size by

    python -m tests.faults F1 --full
"""

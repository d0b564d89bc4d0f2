"""Runs every bench: `make bench`, or `make bench ARGS=promotion` for one of them."""

import importlib
import sys

BENCHES = {"promotion": "tests.bench.promotion", "pins": "tests.bench_pins"}

for name in sys.argv[1:] or BENCHES:
    importlib.import_module(BENCHES[name]).main()

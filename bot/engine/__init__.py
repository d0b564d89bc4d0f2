"""One pass over one target: observe, decide, act, journal; and the loop that says when."""

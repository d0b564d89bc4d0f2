"""What the bot knows and decides: standard library only, no I/O, no clock, no logging."""

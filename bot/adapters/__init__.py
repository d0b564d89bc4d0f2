"""One module or folder per product; its types and exceptions stop there."""

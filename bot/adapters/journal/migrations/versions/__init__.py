"""One module per step; `down_revision` says what it follows."""

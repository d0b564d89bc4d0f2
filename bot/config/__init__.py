"""The only reader of the environment and of the two config files; every fault at once, each with its place and its cure."""

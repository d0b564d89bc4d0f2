"""A whole world on one machine that speaks the real protocols: forge, CI, image registry, cluster.

It serves `gitops-bot demo` and the tests. It is honest about what it is: every page and log says `sandbox`, and it
listens on loopback only.
"""

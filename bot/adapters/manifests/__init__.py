"""The manifests repo: where pins stand, how they are changed byte-exactly, and git without a work tree."""

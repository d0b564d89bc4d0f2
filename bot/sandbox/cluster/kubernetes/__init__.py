"""The Kubernetes API of the sandbox: what its controllers and kubelet write about the processes that really run."""

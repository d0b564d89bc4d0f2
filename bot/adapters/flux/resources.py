"""The kinds of objects that are read, as their APIs name them (facts/products.md, section 2; fixtures/flux/README.md)."""

from bot.ports import Resource

KUSTOMIZATION = Resource("kustomize.toolkit.fluxcd.io/v1", "kustomizations")
HELM_RELEASE = Resource("helm.toolkit.fluxcd.io/v2", "helmreleases")
POD = Resource("v1", "pods")
SOURCES = {
    "GitRepository": Resource("source.toolkit.fluxcd.io/v1", "gitrepositories"),
    "OCIRepository": Resource("source.toolkit.fluxcd.io/v1", "ocirepositories"),
    "Bucket": Resource("source.toolkit.fluxcd.io/v1", "buckets"),
}
WORKLOADS = {
    "Deployment": Resource("apps/v1", "deployments"),
    "StatefulSet": Resource("apps/v1", "statefulsets"),
    "DaemonSet": Resource("apps/v1", "daemonsets"),
}

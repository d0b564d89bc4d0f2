"""The kinds of objects that are read, as their APIs name them (facts/products.md, section 2; fixtures/flux/README.md)."""

from bot.ports import Resource

KUSTOMIZATION = Resource("kustomize.toolkit.fluxcd.io/v1", "kustomizations")
HELM_RELEASE = Resource("helm.toolkit.fluxcd.io/v2", "helmreleases")
# What clusters have that run an older Flux (before 2.3, 2.6 and 2.5), tried where there is no newer one.
OLDER = {
    "HelmRelease": Resource("helm.toolkit.fluxcd.io/v2beta2", "helmreleases"),
    "OCIRepository": Resource("source.toolkit.fluxcd.io/v1beta2", "ocirepositories"),
    "Bucket": Resource("source.toolkit.fluxcd.io/v1beta2", "buckets"),
}
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
# By group and kind: a core Service runs nothing, a Knative one does.
OTHERS = {
    ("serving.kserve.io", "InferenceService"): Resource("serving.kserve.io/v1beta1", "inferenceservices"),
    ("argoproj.io", "Rollout"): Resource("argoproj.io/v1alpha1", "rollouts"),
    ("flagger.app", "Canary"): Resource("flagger.app/v1beta1", "canaries"),
    ("serving.knative.dev", "Service"): Resource("serving.knative.dev/v1", "services"),
    ("batch", "CronJob"): Resource("batch/v1", "cronjobs"),
    ("batch", "Job"): Resource("batch/v1", "jobs"),
}

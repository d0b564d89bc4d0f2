"""Complaints of controllers, as API servers, Argo CD and Flux word them: whose fault they tell of."""

import pytest

from bot.core.outages import is_outage

_SYNC = "one or more synchronization tasks completed unsuccessfully"


@pytest.mark.parametrize(
    "message",
    [
        'Internal error occurred: failed calling webhook "mutate.istio.io": failed to call webhook: Post "https://istiod:443/inject?timeout=10s": context deadline exceeded',
        "ComparisonError: rpc error: code = Unavailable desc = connection error: dial tcp 10.0.0.7:8081: connect: connection refused",
        "Deployment/shop/web dry-run failed (ServiceUnavailable): the server is currently unable to handle the request",
        "Deployment/shop/web dry-run failed (Timeout): timeout after 1m",
        "etcdserver: request timed out (retried 5 times).",
        f'{_SYNC}, reason: pods "hook" is forbidden: exceeded quota: small, requested: pods=1, used: pods=3',
        'deployments.apps "web" is forbidden: User "system:serviceaccount:argocd:x" cannot patch resource "deployments"',
        "Operation terminated",
        'namespaces "shop" is forbidden: unable to create new content because it is being terminated',
    ],
)
def test_an_outage_a_missing_right_and_a_persons_doing_are_not_the_manifests(message: str) -> None:
    assert is_outage(message)


@pytest.mark.parametrize(
    "message",
    [
        'Deployment.apps "web" is invalid: spec.template.spec.containers[0].ports[0].containerPort: Invalid value: 808080',
        'admission webhook "validate.kyverno.svc-fail" denied the request: image is not signed: context deadline exceeded',
        f"{_SYNC}, reason: Job has reached the specified backoff limit",
        f"{_SYNC} due to application controller sync timeout",
        f'{_SYNC}, reason: Service "web" is invalid: x, dial tcp 10.0.0.1:443: connection refused',
        'Deployment.apps "web" is invalid: livenessProbe.timeoutSeconds: must be greater than 0',
        "",
    ],
)
def test_what_names_the_manifests_or_says_nothing_is_no_outage(message: str) -> None:
    assert not is_outage(message)

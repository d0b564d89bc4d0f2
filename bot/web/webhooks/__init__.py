"""Who may send webhooks: a further sender is one more module here, and its line in this table."""

from collections.abc import Mapping

from bot.web.webhooks import alertmanager, argocd, flux, github, mlflow
from bot.web.webhooks.sender import Read

SENDERS: Mapping[str, Read] = {
    "mlflow": mlflow.read,
    "github": github.read,
    "argocd": argocd.read,
    "flux": flux.read,
    "alertmanager": alertmanager.read,
}

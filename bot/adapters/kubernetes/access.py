"""Opens a conversation with a cluster's API, as a kubeconfig or a pod's service account describes it.

lightkube reads the kubeconfig and builds TLS and the login; what it would silently pass over is refused here.
"""

import contextlib
import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import yaml  # type: ignore[import-untyped]
from lightkube.config.client_adapter import user_auth, verify_cluster
from lightkube.config.kubeconfig import KubeConfig, SingleConfig
from lightkube.config.models import User
from lightkube.core.exceptions import ConfigError

from bot.adapters.kubernetes.answers import excerpt
from bot.adapters.kubernetes.login import Login, bearer, plugin, token_file
from bot.ports import Refused

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
# What changes where questions go, or as whom: to pass over it in silence would be worse than to refuse it.
_USER_UNSUPPORTED = ("as", "as-uid", "as-groups", "as-user-extra", "auth-provider")
_CLUSTER_UNSUPPORTED = ("proxy-url", "tls-server-name")


@dataclass(frozen=True, slots=True)
class Access:
    """How the cluster is reached: by a kubeconfig and one of its contexts, or from inside a pod when none is given."""

    kubeconfig: Path | None
    context: str | None
    timeout: float
    service_account: Path = SERVICE_ACCOUNT

    def __str__(self) -> str:
        """For people: which file, which context."""
        if self.kubeconfig is None:
            return "the service account of the bot's pod"
        which = f", context {excerpt(self.context, 80)}" if self.context else ""
        return f"the kubeconfig {self.kubeconfig}{which}"

    def stamp(self) -> tuple[int, int, int] | None:
        """Something that changes when the kubeconfig, or the CA of the pod's service account, is replaced."""
        with contextlib.suppress(OSError):
            found = (self.kubeconfig or self.service_account / "ca.crt").stat()
            return found.st_ino, found.st_mtime_ns, found.st_size
        return None

    def open(self) -> httpx2.Client:
        """A client that knows the address, the CA and the login. Raises `Refused` with the file and what is wrong."""
        try:
            config, login = self._of_the_pod() if self.kubeconfig is None else self._of_file(self.kubeconfig)
            address = _protected(config.cluster.server)
        except Refused as refused:
            raise Refused(f"{self}: {refused}") from None
        try:
            trusted = verify_cluster(config.cluster, config.user or User(), config.abs_file)
        except (OSError, ValueError, TypeError) as error:
            # ssl.SSLError is an OSError. The text of these may quote a key.
            raise Refused(
                f"{self}: its certificates or keys cannot be used ({type(error).__name__})"
            ) from None
        return httpx2.Client(
            base_url=address, verify=trusted, auth=login, timeout=self.timeout, follow_redirects=False
        )

    def _of_file(self, path: Path) -> tuple[SingleConfig, httpx2.Auth | None]:
        document = _document(path.expanduser())
        try:
            config = KubeConfig.from_dict(document, fname=path.expanduser()).get(self.context)
        except KeyError as missing:
            raise Refused(f"{excerpt(str(missing), 80)} is named in it and missing") from None
        except (ConfigError, ValueError) as error:
            # msgspec says where in the document which type was expected, never the value.
            raise Refused(excerpt(str(error))) from None
        except (TypeError, AttributeError):
            raise Refused("it is not a kubeconfig") from None
        if config is None:
            raise Refused("it has no current context")
        return config, _login(document, config, path.expanduser().parent)

    def _of_the_pod(self) -> tuple[SingleConfig, httpx2.Auth | None]:
        if self.context:
            raise Refused("a context needs a kubeconfig")
        try:
            config = KubeConfig.from_service_account(self.service_account).get()
        except (KeyError, OSError, ValueError, ConfigError):
            raise Refused("the bot does not run in a pod that has one: name a kubeconfig") from None
        if config is None:
            raise Refused("it has no current context")
        return config, Login(token_file(self.service_account / "token"))


def _document(path: Path) -> dict[str, Any]:
    try:
        document = yaml.safe_load(path.read_bytes())
    except OSError as error:
        raise Refused(f"it cannot be read ({error.strerror})") from None
    except yaml.MarkedYAMLError as error:
        # Its text may quote a token, so only the line is told.
        where = f" at line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise Refused(f"it is not YAML{where}") from None
    except (yaml.YAMLError, ValueError, RecursionError):
        raise Refused("it is not YAML") from None
    if not isinstance(document, dict):
        raise Refused("it is not a kubeconfig")
    return document


def _login(document: Mapping[str, Any], config: SingleConfig, folder: Path) -> httpx2.Auth | None:
    """The login of the chosen user: token file, token, program or password; None where a certificate is all there is."""
    context = config.context
    user = _entry(document.get("users"), "user", context.user)
    cluster = _entry(document.get("clusters"), "cluster", context.cluster)
    for held, unsupported in ((user, _USER_UNSUPPORTED), (cluster, _CLUSTER_UNSUPPORTED)):
        for key in unsupported:
            if held.get(key):
                raise Refused(f"it has `{key}:`, which the bot does not support: use a context without")
    known = config.user
    if known is None:
        return None
    if known.token_file is not None:
        return Login(token_file(folder / known.token_file))
    if known.token is not None:
        bearer(known.token, f"user {excerpt(str(context.user), 80)}")
    elif known.exec is not None:
        return Login(plugin(user.get("exec") or {}, folder, cluster).run)
    return user_auth(known)


def _entry(entries: Iterable[Mapping[str, Any]] | None, kind: str, name: str | None) -> Mapping[str, Any]:
    held = next((item.get(kind) for item in entries or () if item.get("name") == name), None)
    return held if isinstance(held, Mapping) else {}


def _protected(server: str) -> str:
    parts = urlsplit(server)
    if parts.username or parts.password:
        raise Refused("the address of its cluster carries a login: put that into `users:`")
    if parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.hostname)):
        return server
    raise Refused("the address of its cluster must begin with https://, as the bot sends its login there")


def _is_loopback(host: str | None) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False

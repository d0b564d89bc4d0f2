# The bot's image. In its bot.yaml set `server: {host: 0.0.0.0}` and `data: /var/lib/gitops-bot` (a volume).
# The digest is that of the multi-platform index behind the tag; move both together.
FROM python:3.11-slim-bookworm@sha256:b18992999dbe963a45a8a4da40ac2b1975be1a776d939d098c647482bcad5cba AS builder

ENV UV_PROJECT_ENVIRONMENT=/opt/gitops-bot \
    UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy \
    UV_PYTHON=/usr/local/bin/python3.11 \
    UV_PYTHON_DOWNLOADS=never

RUN pip install --no-cache-dir --disable-pip-version-check uv==0.13.9

WORKDIR /src
# The libraries first: they change with the lock file alone, and this layer with them.
COPY pyproject.toml uv.lock ./
RUN uv sync --frozen --no-dev --extra postgres --no-install-project --no-cache

COPY LICENSE README.md ./
COPY gitops-template ./gitops-template
COPY bot ./bot
RUN uv sync --frozen --no-dev --extra postgres --no-editable --no-cache


FROM python:3.11-slim-bookworm@sha256:b18992999dbe963a45a8a4da40ac2b1975be1a776d939d098c647482bcad5cba

LABEL org.opencontainers.image.title="gitops-bot" \
      org.opencontainers.image.description="Promote a model in MLflow; get a reviewed, verified and revertible deployment by GitOps." \
      org.opencontainers.image.licenses="Apache-2.0"

# Debian keeps only the newest version of a package, so a pinned one would soon not install.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates git openssh-client \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 gitops-bot \
    && useradd --uid 10001 --gid 10001 --home-dir /var/lib/gitops-bot --create-home --shell /usr/sbin/nologin gitops-bot

COPY --from=builder /opt/gitops-bot /opt/gitops-bot

ENV PATH=/opt/gitops-bot/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    GITOPS_BOT_CONFIG=/etc/gitops-bot/bot.yaml

USER 10001:10001
WORKDIR /var/lib/gitops-bot
EXPOSE 8080

# http.client asks no proxy, whatever the environment says.
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import http.client as h, sys; c = h.HTTPConnection('127.0.0.1', 8080, timeout=4); c.request('GET', '/health'); sys.exit(c.getresponse().status != 200)"]

ENTRYPOINT ["gitops-bot"]
CMD ["serve"]

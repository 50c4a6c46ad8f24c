# One image, whose command chooses the process:
#   docker run strangler gateway          docker run strangler sync run accounts
#   docker run strangler service ledger   docker run strangler legacy
# routes.yaml is mounted at /etc/strangler/routes.yaml; addresses and passwords come from the environment.

FROM python:3.11-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
COPY requirements.lock pyproject.toml README.md ./
RUN python -m venv /opt/strangler \
 && /opt/strangler/bin/pip install --require-hashes --requirement requirements.lock
COPY . .
RUN /opt/strangler/bin/pip install --no-deps --no-build-isolation . \
 && /opt/strangler/bin/python -m compileall -q /opt/strangler/lib

FROM python:3.11-slim-bookworm
LABEL org.opencontainers.image.title="strangler" \
      org.opencontainers.image.description="Moves a monolith that cannot stop to new services, one capability at a time." \
      org.opencontainers.image.licenses="Apache-2.0"
RUN groupadd --system --gid 10001 strangler \
 && useradd --system --uid 10001 --gid strangler --home-dir /var/lib/strangler --create-home strangler
COPY --from=build /opt/strangler /opt/strangler
ENV PATH=/opt/strangler/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    STRANGLER_ROUTES=/etc/strangler/routes.yaml \
    STRANGLER_RUN=/var/lib/strangler/run \
    GATEWAY_LISTEN=0.0.0.0:8080
WORKDIR /var/lib/strangler
USER 10001:10001
EXPOSE 8080
# Python is there anyway; curl would be one more thing to patch.
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8081/readyz', timeout=2)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["strangler"]
CMD ["gateway"]

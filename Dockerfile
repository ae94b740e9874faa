# LLM Gateway in a container: docs/install.md says how it is run.
ARG PYTHON_VERSION=3.11

FROM python:${PYTHON_VERSION}-slim AS build
WORKDIR /build
# What the gateway runs on comes by its hashes, and so does what builds it; the environment gets no pip of its own.
COPY requirements.txt requirements-build.txt ./
RUN ["python", "-m", "venv", "--without-pip", "/opt/gateway"]
RUN ["pip", "--python", "/opt/gateway/bin/python", "install", "--no-cache-dir", "--require-hashes", "-r", "requirements.txt"]
RUN ["pip", "install", "--no-cache-dir", "--require-hashes", "-r", "requirements-build.txt"]
COPY pyproject.toml README.md LICENSE ./
COPY gateway gateway
RUN ["pip", "wheel", "--no-cache-dir", "--no-deps", "--no-build-isolation", "--wheel-dir", "dist", "."]
RUN ["pip", "--python", "/opt/gateway/bin/python", "install", "--no-deps", "--no-index", "--find-links", "dist", "llm-local-gateway"]

FROM python:${PYTHON_VERSION}-slim
COPY --from=build /opt/gateway /opt/gateway
RUN ["install", "-d", "-m", "0700", "-o", "10001", "-g", "10001", "/data"]
# Inside a container 127.0.0.1 is the container's own. So it listens on every address, and callers need a key; without
# one in the configuration, the first start makes it. Python's own variables: logs at once, no code from /data.
ENV PATH=/opt/gateway/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONSAFEPATH=1 \
    HOME=/data \
    LLM_GATEWAY_HOST=0.0.0.0 \
    LLM_GATEWAY_PORT=8080 \
    LLM_GATEWAY_EXPOSED=1 \
    LLM_GATEWAY_KEY_FILE=/data/key
WORKDIR /data
VOLUME /data
USER 10001:10001
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=15s CMD ["llm-gateway", "health"]
ENTRYPOINT ["llm-gateway"]

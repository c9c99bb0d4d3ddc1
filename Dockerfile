# One image for every process; docker-compose.yml gives each its command.
FROM python:3.13.9-slim-bookworm AS packages

COPY requirements.txt /tmp/requirements.txt
# Wheels only: nothing is compiled, so the image needs no compiler, and every file has its hash.
RUN python -m venv /opt/carillon \
    && /opt/carillon/bin/pip install --no-cache-dir --disable-pip-version-check \
        --only-binary=:all: --require-hashes -r /tmp/requirements.txt

FROM python:3.13.9-slim-bookworm

# A number, not a name, so that an orchestrator can see that it is not root.
RUN groupadd --gid 10001 carillon \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/carillon \
        --shell /usr/sbin/nologin carillon \
    && install -d -o carillon -g carillon -m 0750 /var/lib/carillon \
    && install -d -o carillon -g carillon -m 0700 /var/lib/carillon/sandbox /var/lib/carillon/imports
COPY --from=packages /opt/carillon /opt/carillon
COPY . /app

ENV PATH="/opt/carillon/bin:$PATH" \
    PYTHONPATH=/app \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    CARILLON_STATE_DIR=/var/lib/carillon
WORKDIR /app
USER 10001:10001

# Started without a command, the image says what it can do.
CMD ["python", "-m", "api.cli", "--help"]

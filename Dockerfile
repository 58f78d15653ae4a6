# Two stages: the first has pip and the build back end, the second only what runs.

FROM python:3.11-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src

# The pinned packages first: this layer stays as long as the lock files do.
COPY requirements/build.txt requirements/run.txt requirements/
RUN pip install --only-binary :all: --require-hashes --requirement requirements/build.txt \
    && python -m venv /opt/fieldfare \
    && /opt/fieldfare/bin/pip install --only-binary :all: --require-hashes --requirement requirements/run.txt

COPY pyproject.toml README.md LICENSE ./
COPY directory directory
COPY mapping mapping
COPY worker worker
RUN pip wheel --no-deps --no-build-isolation --wheel-dir /tmp/wheel . \
    && /opt/fieldfare/bin/pip install --no-deps --no-index /tmp/wheel/*.whl \
    && /opt/fieldfare/bin/pip uninstall --yes pip setuptools


FROM python:3.11-slim
LABEL org.opencontainers.image.title="Fieldfare" \
      org.opencontainers.image.description="Fills the dynamic fields of OTOBO, Znuny and OTRS tickets from the customer user directory" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.documentation="https://github.com/fieldfare/fieldfare/tree/main/docs"
COPY --from=build /opt/fieldfare /opt/fieldfare
ENV PATH=/opt/fieldfare/bin:$PATH PYTHONUNBUFFERED=1
# A number, so that an orchestrator can see that it is not root. It needs no home and writes no file.
USER 10001:10001
WORKDIR /opt/fieldfare
STOPSIGNAL SIGTERM
CMD ["fieldfare", "worker"]

# vaekit serve in a container. The token comes from the environment, the runs from a volume:
#
#   docker build -t vaekit .
#   docker run --rm -p 8000:8000 -e VAEKIT_TOKEN=$(openssl rand -hex 16) -v $PWD/runs:/runs:ro vaekit
#
FROM python:3.13-slim

ENV PIP_NO_CACHE_DIR=1 PYTHONUNBUFFERED=1
WORKDIR /app
RUN pip install torch --index-url https://download.pytorch.org/whl/cpu
COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN pip install ".[serve,table,flows]" && useradd --create-home vaekit
USER vaekit
EXPOSE 8000
HEALTHCHECK --start-period=30s CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/healthz', timeout=5)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["vaekit"]
CMD ["serve", "/runs", "--host", "0.0.0.0", "--port", "8000"]

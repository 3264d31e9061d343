# One image for every service of docker-compose.yml, with Airflow's environment and Superset's, from the same locks as
# everywhere else. A container runs `python -m funnel.cli serve <service>`.

FROM python:3.11.14-slim-bookworm AS build
RUN pip install --no-cache-dir uv==0.13.9
WORKDIR /opt/funnel
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never
COPY pyproject.toml uv.lock ./
RUN uv sync --frozen --no-cache --no-dev --group servers
COPY dashboards/pyproject.toml dashboards/uv.lock dashboards/
RUN uv sync --frozen --no-cache --project dashboards

FROM python:3.11.14-slim-bookworm
# A new volume gets the owner of the folder on which it is mounted.
RUN groupadd --gid 10001 funnel \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp funnel \
    && install --directory --owner 10001 --group 10001 --mode 700 /var/lib/funnel /var/lib/funnel/inbox
WORKDIR /opt/funnel
COPY --from=build /opt/funnel/ ./
COPY dags/ dags/
COPY plugins/ plugins/
COPY installation/ installation/
COPY authoring/ authoring/
COPY dbt_project/ dbt_project/
COPY expectations/ expectations/
COPY sandbox/ sandbox/
COPY dashboards/ dashboards/
# Nothing below this folder is ever written: the root file system is read-only.
RUN python -m compileall -q dags plugins installation authoring expectations sandbox dashboards/*.py
ARG CODE_VERSION=unknown
ENV PATH=/opt/funnel/.venv/bin:$PATH \
    PYTHONPATH=/opt/funnel/plugins:/opt/funnel \
    PYTHONUNBUFFERED=1 \
    CODE_VERSION=$CODE_VERSION \
    FUNNEL_HOME=/var/lib/funnel \
    AIRFLOW_HOME=/tmp/airflow \
    HOME=/tmp \
    BIND_ADDRESS=0.0.0.0 \
    GX_ANALYTICS_ENABLED=false \
    DO_NOT_TRACK=1
USER 10001:10001
ENTRYPOINT ["python", "-m", "funnel.cli"]

"""Airflow's plugin: puts `funnel.orchestration.web` in front of the web server. Airflow finds it by this folder."""

from airflow.plugins_manager import AirflowPlugin

from funnel.orchestration.web import Guard


class WebGuard(AirflowPlugin):  # noqa: D101
    name = "web_guard"
    fastapi_root_middlewares = [{"middleware": Guard, "args": [], "kwargs": {}, "name": "Web guard"}]  # noqa: RUF012

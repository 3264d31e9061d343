"""The page that opens first: which page answers which question, for the pages that the user may open.

Superset's own home lists what was opened last, hides pages that were not, and offers viewers to make a chart.
"""

from pathlib import Path
from typing import Any

from flask import Blueprint, Flask, Response, redirect, render_template, request, send_file
from flask_login import current_user

HERE = Path(__file__).resolve().parent
HOME = "/superset/welcome/"

page = Blueprint("start", __name__, url_prefix="/start", template_folder=str(HERE / "templates"))


def install(app: Flask) -> None:
    """Add the page, and open it in place of Superset's home."""
    app.register_blueprint(page)

    @app.before_request
    def open_start() -> Any:
        return redirect("/start/") if request.path == HOME and request.method == "GET" else None


@page.get("/")
def start() -> Any:
    """The page; the log-in for users who are not logged in."""
    if not current_user.is_authenticated:
        return redirect("/login/")
    return render_template("start.html", boards=_boards())


@page.get("/mark.svg")
def mark() -> Response:
    """The product's mark, also on the log-in page."""
    return send_file(HERE / "mark.svg", mimetype="image/svg+xml")


def _boards() -> list[Any]:
    from superset import security_manager
    from superset.exceptions import SupersetSecurityException
    from superset.extensions import db
    from superset.models.dashboard import Dashboard

    opened = []
    for board in db.session.query(Dashboard).filter_by(published=True).order_by(Dashboard.id):
        try:
            security_manager.raise_for_access(dashboard=board)
        except SupersetSecurityException:
            continue
        opened.append(board)
    return opened

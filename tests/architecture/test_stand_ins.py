"""SQL is linted without dbt: `.sqlfluff` has a stand-in for every macro that linted SQL calls."""

from configparser import RawConfigParser
from pathlib import Path

from jinja2 import Environment, meta
from sqlfluff.core.templaters.builtins.dbt import DBT_BUILTINS

ROOT = Path(__file__).parents[2]
DBT = ROOT / "dbt_project"


def test_every_macro_of_linted_sql_has_a_substitute() -> None:
    settings = RawConfigParser()
    settings.read(ROOT / ".sqlfluff")
    known = {*settings["sqlfluff:templater:jinja:macros"], *settings["sqlfluff:templater:jinja:context"], *DBT_BUILTINS}
    ignored = [ROOT / line for line in (ROOT / ".sqlfluffignore").read_text().split("\n") if line.endswith("/")]
    linted = [path for path in DBT.rglob("*.sql") if not any(folder in path.parents for folder in ignored)]
    assert linted
    jinja = Environment(extensions=["jinja2.ext.do"])
    unknown = {
        f"{path.relative_to(DBT)}: {name}"
        for path in linted
        for name in meta.find_undeclared_variables(jinja.parse(path.read_text())) - known
    }
    assert unknown == set(), "add a stand-in to .sqlfluff, or sqlfluff cannot read these files"

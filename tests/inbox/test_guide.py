"""docs/files.md lists exactly the settings of a manifest: none that is refused, none missing."""

import re

import msgspec

from funnel import settings
from funnel.inbox import manifest, manifest_form

GUIDE = (settings.REPOSITORY / "docs" / "files.md").read_text()


def section(title: str) -> str:
    """The text below a heading, up to the next one."""
    return re.split(r"(?m)^#+ ", GUIDE.split(title + "\n", 1)[1])[0]


def test_every_setting_of_a_stream_is_explained_and_every_explained_one_exists() -> None:
    rows = re.findall(r"(?m)^\| (`[^|]*`) \|", section("### Settings of a stream"))
    explained = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert explained == {field.name for field in msgspec.structs.fields(manifest_form.StreamText)}


def test_the_manifest_of_the_guide_is_one() -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", section("## A manifest"), re.DOTALL)
    made = manifest.parse(example.encode(), "guide.yml")
    assert made.streams[0].maps["stage"]["Engaging"] == "opportunity"


def test_every_command_of_the_guide_exists() -> None:
    targets = set(re.findall(r"(?m)^([a-z-]+):", (settings.REPOSITORY / "Makefile").read_text()))
    assert set(re.findall(r"`make ([a-z-]+)", GUIDE)) <= targets

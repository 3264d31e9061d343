"""What hostile and huge files cost: time and memory of a process that reads each, and what it says.

`make bench-hostile` makes the inputs up in a temporary folder. Each is read as a load would read it, in a process of its
own; its memory is the most that the process held at once, Python, Arrow and their libraries included.
"""

import argparse
import gzip
import io
import json
import multiprocessing
import os
import resource
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

MANIFEST = "source: hostile\ncurrency: USD\nstreams: [{entity: opportunities, path: 'deals.*'}]\n"
HEADER = b"opportunity_id,stage,amount\n"
SHEET = b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
MOST_MB = 400


def _packed(path: Path, parts: Iterator[bytes]) -> None:
    with gzip.open(path, "wb", compresslevel=6) as file:
        for part in parts:
            file.write(part)


def _one_line(folder: Path) -> None:
    part = b"9" * (1 << 20)
    _packed(folder / "deals.csv.gz", iter([HEADER, b"1,won,", *[part] * 1_500]))


def _blank_lines(folder: Path) -> None:
    _packed(folder / "deals.csv.gz", iter([HEADER, *[b"\n" * (1 << 20)] * 1_500]))


def _columns(folder: Path) -> None:
    names = ",".join(f"c{number}" for number in range(100_000))
    (folder / "deals.csv").write_text(f"opportunity_id,stage,amount,{names}\n" + "1,won,1" + "," * 100_000 + "\n")


def _open_quotes(folder: Path) -> None:
    (folder / "deals.csv").write_bytes(HEADER + b'1,won,"5\n' * 2_000_000)


def _binary(folder: Path) -> None:
    (folder / "deals.csv").write_bytes(os.urandom(50 << 20))


def _own_keys(folder: Path) -> None:
    with open(folder / "deals.jsonl", "w") as file:
        for line in range(30):
            file.write(json.dumps({f"k{line}_{key}": 1 for key in range(100_000)}) + "\n")


def _nested(folder: Path) -> None:
    deep = '{"a":' * 100_000 + "1" + "}" * 100_000
    (folder / "deals.jsonl").write_text('{"opportunity_id": "1", "stage": "won"}\n' + f"{deep}\n" * 20)


def _workbook(folder: Path, member: str, parts: Iterator[bytes]) -> None:
    import openpyxl

    book = openpyxl.Workbook()
    book.worksheets[0].append(["opportunity_id", "stage", "amount"])
    plain = io.BytesIO()
    book.save(plain)
    with (
        zipfile.ZipFile(plain) as old,
        zipfile.ZipFile(folder / "deals.xlsx", "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in {*old.namelist()} - {member}:
            new.writestr(name, old.read(name))
        with new.open(member, "w", force_zip64=True) as file:
            for part in parts:
                file.write(part)


def _cell(folder: Path) -> None:
    begin = SHEET + b'<row r="1"><c r="A1" t="inlineStr"><is><t>'
    _workbook(folder, "xl/worksheets/sheet1.xml", iter([begin, *[b"a" * (1 << 20)] * 1_000]))


def _texts(folder: Path) -> None:
    _workbook(folder, "xl/sharedStrings.xml", iter([b"<sst><si><t>", *[b"a" * (1 << 20)] * 1_000]))


def _many_texts(folder: Path) -> None:
    part = b"<si><t>ab</t></si>" * 50_000
    space = b'<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
    _workbook(folder, "xl/sharedStrings.xml", iter([space, *[part] * 80, b"</sst>"]))


def _lying_parquet(folder: Path) -> None:
    table = pa.table({"opportunity_id": ["1"] * 5, "stage": ["won"] * 5, "amount": [1] * 5})
    file = io.BytesIO()
    pq.write_table(table, file)
    content = bytearray(file.getvalue())
    footer = int.from_bytes(content[-8:-4], "little")
    for place in range(len(content) - 8 - footer, len(content) - 8, 7):
        content[place] = 0xFF
    (folder / "deals.parquet").write_bytes(content)


def _swollen_parquet(folder: Path) -> None:
    table = pa.table({"opportunity_id": ["1"], "stage": ["won"], "amount": ["9" * (300 << 20)]})
    pq.write_table(table, folder / "deals.parquet", compression="zstd")


def _yaml(folder: Path) -> None:
    levels = ["a0: &a0 boom", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10))]
    (folder / "bomb.yml").write_text("\n".join(["source: bomb", *levels, "streams: *a9"]))


INPUTS: dict[str, Callable[[Path], None]] = {
    "gzip of 1.5 MB, one line of 1.5 GB": _one_line,
    "gzip of 1.5 MB, 1.5 billion blank lines": _blank_lines,
    "CSV of 100,000 columns": _columns,
    "CSV of two million open quotes": _open_quotes,
    "50 MB of noise, named .csv": _binary,
    "JSON lines, 100,000 own keys each": _own_keys,
    "JSON lines, nested 100,000 deep": _nested,
    "workbook with a cell of 1 GB": _cell,
    "workbook with a shared text of 1 GB": _texts,
    "workbook with four million shared texts": _many_texts,
    "Parquet whose metadata is bent": _lying_parquet,
    "Parquet with a cell of 300 MB": _swollen_parquet,
    "YAML bomb of 500 bytes": _yaml,
}


def look(folder: str) -> None:
    """Read an inbox as `make inbox-check` does; print seconds, the peak memory in MB, and its messages."""
    from funnel.inbox import report

    told: list[str] = []
    started = time.perf_counter()
    report.check(folder, frozenset(), told.append)
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024**2 if sys.platform == "darwin" else 1024)
    said = next((line.strip() for line in told if "REFUSED" in line), " ".join(line.strip() for line in told)[:150])
    print(json.dumps({"seconds": seconds, "mb": peak, "message": said}))


def main() -> None:
    """Read each input in a process of its own and print its costs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="inputs whose name holds this text")
    parser.add_argument("--look", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.look:
        look(chosen.look)
        return
    worst = 0.0
    for name, write in INPUTS.items():
        if chosen.only not in name:
            continue
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "hostile.yml").write_text(MANIFEST)
            # In another process: a process inherits the peak memory of the one it is forked from.
            making = multiprocessing.get_context("spawn").Process(target=write, args=(Path(folder),))
            making.start()
            making.join()
            size = sum(each.stat().st_size for each in Path(folder).iterdir())
            done = subprocess.run(
                [sys.executable, "-m", "bench.hostile", "--look", folder], capture_output=True, text=True, check=False
            )
        if done.returncode:
            raise SystemExit(f"{name}: the process ended with {done.returncode}\n{done.stderr[-2000:]}")
        found = json.loads(done.stdout.splitlines()[-1])
        worst = max(worst, found["mb"])
        print(
            f"{name:42} {size / 1e6:8.2f} MB {found['seconds']:7.2f} s {found['mb']:6.0f} MB  {found['message'][:150]}"
        )
    if worst > MOST_MB:
        raise SystemExit(f"{worst:.0f} MB are more than the {MOST_MB} MB that a file may take.")


if __name__ == "__main__":
    main()

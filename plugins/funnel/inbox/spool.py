"""A temporary file for the rows of a file until the whole file is accepted."""

import itertools
import tempfile
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

_TABLES = pa.ipc.IpcWriteOptions(compression="zstd", use_threads=False)
# Arrow's own pool keeps freed memory for each thread: 100 MB after a million rows.
pa.set_memory_pool(pa.system_memory_pool())


class Spool:
    """Tables of rows in a temporary file, in the form in which they are landed."""

    def __init__(self) -> None:
        self.file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by take
        self.ends: list[int] = [0]

    def add(self, batch: Any) -> None:
        """Append a batch as one Arrow IPC stream."""
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, batch.schema, options=_TABLES) as writer:
            writer.write_batch(batch)
        self.file.write(sink.getvalue())
        self.ends.append(self.file.tell())

    def tables(self) -> Iterator[bytes]:
        """The streams as bytes, in order."""
        self.file.seek(0)
        for start, end in itertools.pairwise(self.ends):
            yield self.file.read(end - start)

    def batches(self) -> Iterator[Any]:
        """The batches, in order."""
        for table in self.tables():
            with pa.ipc.open_stream(table) as rows:
                yield from rows

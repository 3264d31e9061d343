"""Files: an inbox of manifests and files, read into typed rows. The source itself is `funnel.sources.files`.

entities          what a file may hold: the fields of each entity
manifest          one source's description of its files, checked
separated         CSV and TSV: encoding, dialect, lines
spreadsheets      XLSX, Parquet and JSON lines
x12               EDI 852, product activity
cell_values       cells: numbers, dates and texts as people write them
headers           which line names the columns
mapping           which of a file's columns are which of ours
column_formulas   what a manifest states of a column without a header; `computed_columns` computes it
reading           how its numbers and dates are written
conversion        blocks of cells → typed rows and bad rows
repeats           rows of one key
intake            one file from its bytes to blocks of rows, or its refusal
report            what would load, for `make inbox-check`

For `make new-manifest`, which proposes a manifest where none exists:

synonyms.yml      what headers and cells are called in seven languages; read by `vocabulary`
contents          what the cells of a column look like
exploration       the tables of a folder
recognition       which entity a table holds, and which column is which field
proposed_columns  keys, constants and amounts that follow from a table; `notation`: how it writes numbers and dates
links             columns that join two files
proposal          the streams of a manifest, with what is unsure; `manifest_text` writes them
new_manifest      the command
"""

"""Benchmarks: each prints ratios against a reference measured in the same run, and ends with one line of JSON."""

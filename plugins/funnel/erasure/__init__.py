"""Erasure: persons who must be forgotten, data that are older than their retention, and the person key."""

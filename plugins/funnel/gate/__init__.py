"""The gate: checks deliveries before a build uses them, and builds before they are published."""

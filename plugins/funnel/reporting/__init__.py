"""What leaves the pipeline about its own work: alerts and lineage."""

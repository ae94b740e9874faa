"""What processes and machines share: files in the run directory, mapped as numbers, and a server."""

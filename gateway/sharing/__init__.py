"""What processes of one machine share: files in the run directory, mapped as numbers."""

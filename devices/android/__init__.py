"""Android phones: what runs and times a file on one, and what the phone says of itself."""

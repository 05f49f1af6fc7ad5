"""Android's debug bridge: a phone's shell and files."""

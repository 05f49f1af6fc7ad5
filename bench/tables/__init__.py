"""Tables built, opened, fitted, imported and exported."""

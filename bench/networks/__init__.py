"""Networks as a user gives them: texts, names and files."""

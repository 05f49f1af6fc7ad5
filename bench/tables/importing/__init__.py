"""What other tools measured, read strictly and turned into measurements and tables of ours."""

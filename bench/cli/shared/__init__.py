"""What the commands share: options, output, progress and the opening of tables."""

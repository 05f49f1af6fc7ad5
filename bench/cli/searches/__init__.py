"""How `zenbench search` reads its options, runs, measures and answers."""

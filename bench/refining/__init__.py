"""Search, measure, learn, go on: a search goes on with what its finalists measured."""

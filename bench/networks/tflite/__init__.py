"""TFLite files of others as graphs."""

"""Data sets: labelled images in the forms that they are published in."""

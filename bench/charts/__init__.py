"""Figures of accuracy, searches and profiles, drawn once for pages and files."""

"""Predictions against measurements, runs against runs, proxies against accuracies."""

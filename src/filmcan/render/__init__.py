"""Artifacts as JSON and pages. Given artifacts, fetches nothing, computes nothing new."""

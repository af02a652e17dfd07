"""The HTTP face: JSON and pages over one store, read-only.

app        builds the application out of the parts below
state      what lives as long as the server: the store, caches, the finder of sources
security   who may ask: host, token, headers
answers    how an answer is made: strict JSON, ETag and 304, ranges
failures   how an error is told: one shape
shapes     the answers' shapes, for the OpenAPI document
routes/    one file per kind of thing asked for
web/       templates, styles and scripts of the pages
"""

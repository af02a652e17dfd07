"""Assets (weights, sample clips) by name: described, fetched on request, checked by digest.

    catalog   what there is: names, licences, files with size and sha256, where to get them
    sources   one file per kind of place that bytes come from
    fetch     make the files of an asset present and right
    cache     where fetched files lie, by digest

Nothing here is called during a run except to find what is already in the cache: fetching is the
user's own step, always.
"""

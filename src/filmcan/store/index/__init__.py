"""The index of a store: a database that answers questions about runs, made from their manifests.

It is a cache (threats P13). Manifests alone are the truth; an index that is missing, stale,
damaged, locked or from another version is brought up to date, made anew, or left aside, and the
answer is the same.

    index      answers, by bringing a database up to date and checking what it shows
    reader     the same for a server: brought up to date once for many answers
    verify     holds rows to their checksums and manifests
    sync       makes the database say what the manifests say
    scan       finds what lies in a store, and what has changed since
    queries    filters, order, pages, counts
    rows       a manifest as rows
    tables     what the database holds
    database   SQLite or PostgreSQL, behind one class
"""

"""Bytes <-> artifact: the deterministic NPZ writer and the strict, bounded reader.

    writer             arrays and meta -> bytes, the same bytes for the same content (C4.5)
    reader             bytes -> arrays and meta; refuses what is damaged, ambiguous or hostile
    verified           the whole of an artifact and its sha256, in one pass
    artifact           one NPZ as the rest of filmcan sees it
    source             where the bytes come from: a file, memory, an object store
    zip_*, npy_header  the container and the array headers, written and parsed by our own rules
    object_*           object arrays without `pickle`: an encoder and a restricted decoder
    limits, crc        what a reader accepts at most; the fastest checksum at hand

What is not checked here: whether keys, shapes and meta satisfy a schema (`contract.validate`), and
whether the file is the one a manifest lists (`store`).
"""

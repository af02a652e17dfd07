"""Runs that another system wrote in the same layout: read, upgraded, committed as runs of ours.

    files          what lies in a run's folder, and which file a manifest's path means
    manifest       a manifest of theirs -> what it says, with nothing added
    plain          values of theirs -> JSON, without folders and secrets
    arrays         arrays -> arrays that keep C6, held to a schema where one fits
    meta           a meta -> a meta that keeps C4
    component      a row and its files -> a record and a product
    run            all of it, in the order that keeps the store's promises
    former         what both stores already say of a run: deleted, imported before, changed
    transaction    a run being written from imported products

The source is only read, through directory handles and the restricted decoders of `npz`.
"""

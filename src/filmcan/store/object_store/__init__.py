"""A store below a prefix of a bucket: S3 and what speaks like it, Google Cloud Storage, Azure."""

"""What the database holds. Any change here needs another `LAYOUT`: an older index is made anew."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)

LAYOUT = 4

METADATA = MetaData()

_BYTEWISE = Text().with_variant(Text(collation="C"), "postgresql")
"""Sorts by code point, and knows upper case of ASCII only, on every database."""

STATE = Table(
    "state",
    METADATA,
    Column("layout", Integer, nullable=False),
    Column("sync_id", Text, nullable=False),
    Column("store_url", Text, nullable=False),
    Column("boot_id", Text, nullable=False),
    Column("swept_at", Float, nullable=False),
    Column("marks", LargeBinary),
    Column("runs", BigInteger, nullable=False),
)
"""One row: what the rest is true of."""

FOLDERS = Table(
    "folders",
    METADATA,
    Column("path", _BYTEWISE, primary_key=True),
    Column("slot", Integer, nullable=False),
    Column("stamp", Text, nullable=False),
)
"""Root, platforms, videos and tombstones, as they were when they were last listed."""

_KEY = BigInteger().with_variant(Integer, "sqlite")

RUNS = Table(
    "runs",
    METADATA,
    Column("id", _KEY, primary_key=True),
    Column("slot", Integer, nullable=False),
    Column("stamp", Text, nullable=False),
    Column("checksum", Text, nullable=False),
    Column("is_latest", Boolean, nullable=False),
    Column("platform_id", _BYTEWISE, nullable=False),
    Column("video_id", _BYTEWISE, nullable=False),
    Column("run_id", _BYTEWISE, nullable=False),
    Column("status", Text),
    Column("created_at", _BYTEWISE, nullable=False),
    Column("updated_at", _BYTEWISE, nullable=False),
    Column("finished_at", _BYTEWISE),
    Column("config_hash", Text, nullable=False),
    Column("duration_sec", Float),
    Column("folded_path", _BYTEWISE, nullable=False),
    Column("folded_text", _BYTEWISE, nullable=False),
)
"""What runs are found and sorted by."""

OUTCOMES = Table(
    "outcomes",
    METADATA,
    Column("id", _KEY, primary_key=True),
    Column("name", _BYTEWISE, nullable=False),
    Column("status", Text, nullable=False),
    Column("empty_reason", _BYTEWISE),
    Column("producer_version", Text),
    Column("schema_version", Text),
)
"""How components ended: few rows, each once, for very many components."""

COMPONENTS = Table(
    "components",
    METADATA,
    Column("run_key", BigInteger, ForeignKey(RUNS.c.id), primary_key=True),
    Column("outcome", BigInteger, ForeignKey(OUTCOMES.c.id), primary_key=True),
    Column("model_signature", Text),
    sqlite_with_rowid=False,
)
"""What runs are found by through one of their components."""

FACTS = Table(
    "facts",
    METADATA,
    Column("run_key", _KEY, ForeignKey(RUNS.c.id), primary_key=True),
    Column("facts", Text, nullable=False),
)
"""All that is shown of a run. What stands in the tables above is derived from it."""

SET_ASIDE = Table(
    "set_aside",
    METADATA,
    Column("path", _BYTEWISE, primary_key=True),
    Column("slot", Integer, nullable=False),
    Column("stamp", Text, nullable=False),
    Column("reason", Text, nullable=False),
)
"""Manifests that give no run: damaged ones, and those of deleted videos; folders without any."""

NO_MANIFEST = "no_manifest"
"""Reason in `SET_ASIDE` beside those of `reading`."""

INDEXES = (
    Index("runs_by_path", RUNS.c.platform_id, RUNS.c.video_id, RUNS.c.run_id, unique=True),
    Index("runs_by_slot", RUNS.c.slot),
    Index("folders_by_slot", FOLDERS.c.slot),
    # Holds all that runs are sorted by, so that any order is told without reading whole rows, and
    # is itself the order that is asked for most: the latest first, those of one moment by path.
    Index(
        "runs_by_created_at",
        RUNS.c.created_at.desc(),
        RUNS.c.platform_id,
        RUNS.c.video_id,
        RUNS.c.run_id,
        RUNS.c.status,
        RUNS.c.duration_sec,
    ),
    Index("components_by_outcome", COMPONENTS.c.outcome, COMPONENTS.c.run_key),
)
"""Made after the rows when an index is made anew."""

"""What a run is and what it leaves: spec, run key, record, atomic writes, locks, tidy frame. No torch, directly or through others.

The frame is not imported here, since pandas takes longer to load than a plan takes to make.
"""

from pixelbench.store.record import SCHEMA, STATUSES, RecordError, read_record, run_folder, write_record
from pixelbench.store.scan import Scan, StoredRun, require_store, scan
from pixelbench.store.spec import RunSpec
from pixelbench.store.writable import ensure_writable

__all__ = [
    "SCHEMA",
    "STATUSES",
    "RecordError",
    "RunSpec",
    "Scan",
    "StoredRun",
    "ensure_writable",
    "read_record",
    "require_store",
    "run_folder",
    "scan",
    "write_record",
]

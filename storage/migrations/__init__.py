"""Schema migrations, applied by storage.schema."""

"""The database: tables, queries by noun, migrations. The only room that knows SQLAlchemy."""

"""The column types that several tables share."""

from typing import Any

from sqlalchemy import JSON
from sqlalchemy.dialects.postgresql import JSONB

Json = dict[str, Any]
JSON_COLUMN = JSON().with_variant(JSONB(), "postgresql")  # JSON alone has no equality on PostgreSQL

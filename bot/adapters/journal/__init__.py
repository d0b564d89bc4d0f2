"""The journal and the inbox in a SQL database: SQLite in the bot's data folder, or PostgreSQL."""

from bot.adapters.journal.leadership import Leadership
from bot.adapters.journal.sql import SqlJournal

__all__ = ["Leadership", "SqlJournal"]

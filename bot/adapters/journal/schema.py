"""The schema brought up to date by Alembic's migrations, which the package carries."""

from pathlib import Path

from sqlalchemy import Connection, text

from bot.ports import Refused

_LOCK = 0x676974_6F7073  # any number that nobody else uses: two replicas may start at once
_VERSION_TABLE = "journal_schema"  # not Alembic's default: MLflow's own database may be the same one


def bring_up_to_date(connection: Connection, place: str) -> None:
    """Apply the migrations that the database lacks, in the transaction of this connection.

    `Refused` when a newer bot wrote it; `place` names it in the sentence.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    # Alembic costs a tenth of a second to import, and only a start needs it.
    from alembic import command
    from alembic.config import Config
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    scripts = ScriptDirectory.from_config(config)
    options = {"version_table": _VERSION_TABLE, "transactional_ddl": True}
    now = MigrationContext.configure(connection, opts=options).get_current_revision()
    if now == scripts.get_current_head():
        return
    if now is not None and now not in {script.revision for script in scripts.walk_revisions()}:
        raise Refused(
            f"{place} was written by a newer gitops-bot (schema {now}): start that one, or "
            "delete the database; the journal begins anew and no promotion is lost"
        )
    config.attributes.update(connection=connection, options=options)
    command.upgrade(config, "head")

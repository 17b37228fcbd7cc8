"""Schemas as others write them: folders of other tools' migrations, psql scripts and dumps, databases, commands."""

"""Changes of the tables, one file each, in order; :mod:`workbench.service.database` applies them.

A new one: change :mod:`workbench.service.schema`, add a file under ``versions`` that names the last one as
its ``down_revision``, and raise ``HEAD`` in the schema.
"""

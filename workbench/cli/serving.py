"""``workbench serve`` and ``workbench users …``."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from workbench.cli.common import Device, PublicHosts, TrustedProxies, table, with_options
from workbench.core import devices
from workbench.core.errors import WorkbenchError
from workbench.styles.options import VideoLimits

users = typer.Typer(help="Accounts of the served page.", no_args_is_help=True)

_Data = Annotated[
    Path | None, typer.Option(help="Folder of accounts, jobs and results; a folder of your own by default.")
]
_Database = Annotated[
    str | None, typer.Option(help="URL of another database than the folder's own SQLite file.")
]


@with_options(film=VideoLimits)
def serve(
    film: VideoLimits,
    data: _Data = None,
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 lets other computers in.")] = "",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 7860,
    engine: Annotated[Literal["local", "ray"], typer.Option(help="Where jobs run.")] = "local",
    address: Annotated[
        str | None,
        typer.Option(help="Address of a running Ray cluster; without it one is started on this machine."),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Jobs at a time.")] = 1,
    accounts: Annotated[bool, typer.Option("--accounts", help="Require an account.")] = False,
    database: _Database = None,
    adopt: Annotated[
        bool,
        typer.Option(
            "--adopt",
            help="Tie folder and database together although they do not belong together; jobs that the "
            "database does not know are kept in the folder's quarantine.",
        ),
    ] = False,
    public_host: PublicHosts = None,
    trusted_proxy: TrustedProxies = None,
    mcp: Annotated[bool, typer.Option("--mcp", help="Offer the API to assistants as tools too.")] = False,
    device: Device = None,
) -> None:
    """Serve the page to many users, with accounts, private work and jobs that survive a crash."""
    from workbench.service.limits import Limits
    from workbench.service.platform import Platform, default_folder
    from workbench.ui import DEFAULT_HOST, MCP_PATH, launch
    from workbench.ui.stopping import Stopping

    if address is not None and engine != "ray":
        raise WorkbenchError("Expected --engine ray with --address, which names a Ray cluster. Give both.")
    devices.choose(device)  # for the workers: the server itself computes nothing
    where = data or default_folder()
    limits = Limits(film=film)
    with Platform(
        where, engine, workers, limits, address=address, database=database, accounts=accounts, adopt=adopt
    ) as platform:
        stopping = Stopping()
        if accounts and not platform.accounts.list():
            raise WorkbenchError(
                f"There is no account yet. Run: workbench users add NAME --data {where}"
                + (f" --database {platform.database.name}" if database else "")
            )
        try:
            page = launch(
                host or DEFAULT_HOST,
                port,
                platform=platform,
                mcp_server=mcp,
                public_hosts=public_host or (),
                trusted_proxies=trusted_proxy or (),
            )
        except OSError as error:
            raise WorkbenchError(f"Cannot listen on {host or DEFAULT_HOST}:{port} ({error}).") from error
        url = str(page.local_url)
        typer.echo(f"Painter Psychology Workbench: {url} (Ctrl-C stops it)")
        if mcp:
            typer.echo(f"Tools for assistants (MCP): {url.rstrip('/')}{MCP_PATH}")
        stopping.wait(page)


@users.command("add")
def users_add(
    name: Annotated[str, typer.Argument()],
    administrator: Annotated[
        bool, typer.Option(help="Give access to the page's view of accounts, jobs and disk.")
    ] = False,
    data: _Data = None,
    database: _Database = None,
) -> None:
    """Create an account; the password is prompted for, or read from a pipe."""
    with _accounts(data, database) as accounts:
        typer.echo(f"{accounts.add(name, _password(), administrator).name} added")


@users.command("passwd")
def users_passwd(
    name: Annotated[str, typer.Argument()], data: _Data = None, database: _Database = None
) -> None:
    """Change the password of an account; all its sessions end."""
    with _accounts(data, database) as accounts:
        accounts.set_password(name, _password())
        typer.echo(f"{name} has a new password")


@users.command("remove")
def users_remove(
    name: Annotated[str, typer.Argument()], data: _Data = None, database: _Database = None
) -> None:
    """Remove an account; its jobs and files are deleted at the server's next start or clean-up."""
    with _accounts(data, database) as accounts:
        accounts.remove(name)
        typer.echo(f"{name} removed")


@users.command("list")
def users_list(data: _Data = None, database: _Database = None) -> None:
    """List the accounts."""
    import datetime

    rows = [("name", "since")]
    with _accounts(data, database) as accounts:
        for account in accounts.list():
            since = datetime.datetime.fromtimestamp(account.created, datetime.UTC)
            rows.append((account.name, since.date().isoformat()))
    typer.echo(table(rows))


@contextlib.contextmanager
def _accounts(data: Path | None, database: str | None):
    """The accounts of a data folder or another database; its server need not run."""
    from workbench.service.accounts import Accounts
    from workbench.service.database import Database
    from workbench.service.folder import DATABASE, tie
    from workbench.service.platform import default_folder
    from workbench.service.storage import Store

    store = Store(data or default_folder())
    opened = Database(database or store.root / DATABASE)
    try:
        tie(store, opened)
        yield Accounts(opened)
    finally:
        opened.close()


def _password() -> str:
    """A password: typed twice without echo at a terminal, else the first line of the input."""
    if sys.stdin.isatty():
        return typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    return sys.stdin.readline().rstrip("\r\n")

"""Each service's user gets into its own databases and into no other, and nobody else gets in."""

from collections.abc import Callable
from typing import Any

import pytest
from testinfra.host import Host

testinfra_hosts = ["ansible://controller"]
UNITS = ["mariadb"]

OWN = {
    "keystone": {"keystone"},
    "glance": {"glance"},
    "placement": {"placement"},
    "nova": {"nova_api", "nova_cell0", "nova"},
}
# The underscore of nova_api is a letter and stands for no other.
ALL = {"mysql", "novaXapi", *(database for databases in OWN.values() for database in databases)}
Query = Callable[[str, str, str], Any]
REFUSED_LOGIN, REFUSED_DATABASE, REFUSED_TABLE = "ERROR 1045", "ERROR 1044", "ERROR 1142"
FULL_CIRCLE = "CREATE TABLE {0}.x (id INT); INSERT {0}.x VALUES (7); SELECT id FROM {0}.x; DROP TABLE {0}.x"


@pytest.fixture
def query(host: Host) -> Query:
    """Log in by TCP, as the services do, whose PyMySQL sends passwords in Latin-1, and run SQL."""

    def run(user: str, password: str, sql: str) -> Any:  # noqa: ANN401 (testinfra has no types)
        encoded = 'MYSQL_PWD="$(printf %%s %s | iconv -f UTF-8 -t ISO-8859-1)"'
        client = "mariadb --no-defaults --skip-ssl --batch --skip-column-names -h %s -u %s -e %s"
        return host.run(f"{encoded} {client}", password, "127.0.0.1", user, sql)

    return run


@pytest.mark.parametrize("user", OWN)
def test_user_has_all_rights_on_its_own(query: Query, secrets: dict[str, str], user: str) -> None:
    for database in OWN[user]:
        said = query(user, secrets[f"mariadb_{user}"], FULL_CIRCLE.format(database))
        assert (said.rc, said.stdout) == (0, "7\n"), said.stderr


@pytest.mark.parametrize("user", OWN)
def test_user_is_refused_elsewhere(query: Query, secrets: dict[str, str], user: str) -> None:
    for database in ALL - OWN[user]:
        said = query(user, secrets[f"mariadb_{user}"], f"CREATE TABLE {database}.intruder (id INT)")
        assert REFUSED_DATABASE in said.stderr or REFUSED_TABLE in said.stderr, f"{user} in {database}: {said}"


@pytest.mark.parametrize("user", [*OWN, "root", "nobody", ""])
def test_nobody_gets_in_without_the_password(query: Query, user: str) -> None:
    for password in ("", "wrong"):
        said = query(user, password, "SELECT 1")
        assert REFUSED_LOGIN in said.stderr, f"{user!r}: {said}"


def test_no_anonymous_user(host: Host) -> None:
    count = "SELECT COUNT(*) FROM mysql.global_priv WHERE User = ''"
    assert host.check_output("mariadb --batch --skip-column-names -e %s", count) == "0"


def test_mariadb_listens_on_the_loopback_address_only(host: Host) -> None:
    assert host.service("mariadb").is_enabled
    assert [name for name in host.socket.get_listening_sockets() if name.endswith(":3306")] == ["tcp://127.0.0.1:3306"]

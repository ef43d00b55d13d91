"""The registry's configuration."""

from __future__ import annotations

from services.platform.registry import details, environment
from tests.unit.services.platform.site import make_site

THEIRS = "postgresql://someone:word@db.example:6543/exchange"


def test_both_ports_are_on_loopback(tmp_path):
    site = make_site(tmp_path, postgres=THEIRS)
    told = environment(site)
    assert (told["QUARKUS_HTTP_HOST"], told["QUARKUS_MANAGEMENT_HOST"]) == ("127.0.0.1", "127.0.0.1")
    assert told["QUARKUS_HTTP_PORT"] == str(site.ports["registry"])
    assert told["QUARKUS_MANAGEMENT_PORT"] == str(site.ports["registry_management"])


def test_schemas_are_kept_on_the_server_that_the_settings_point_at(tmp_path):
    told = environment(make_site(tmp_path, postgres=THEIRS))
    assert told["APICURIO_DATASOURCE_URL"] == "jdbc:postgresql://db.example:6543/exchange_registry"
    assert (told["APICURIO_DATASOURCE_USERNAME"], told["APICURIO_DATASOURCE_PASSWORD"]) == ("someone", "word")
    assert told["APICURIO_STORAGE_KIND"] == "sql"


def test_schemas_are_kept_on_our_own_server_otherwise(tmp_path):
    site = make_site(tmp_path)
    told = environment(site)
    assert told["APICURIO_DATASOURCE_URL"] == f"jdbc:postgresql://127.0.0.1:{site.ports['postgres']}/ipx_registry"
    assert told["APICURIO_DATASOURCE_PASSWORD"] == (tmp_path / "postgres" / "password").read_text("ascii")


def test_the_state_tells_the_confluent_address_and_the_management_port(tmp_path):
    site = make_site(tmp_path)
    assert details(site) == {"url": "http://127.0.0.1:18081/apis/ccompat/v7", "management_port": 18082}
    assert details(make_site(tmp_path, registry="http://r/x"))["url"] == "http://r/x"

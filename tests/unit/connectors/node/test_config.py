"""node.toml: what is read, what is refused, and that keys and secrets are their owner's alone."""

from pathlib import Path

import pytest

from connectors.node.config import load_config, read_root_key, read_sealing_signer, read_secret, read_signer
from services.codec.keys import signer_from_seed, sm2_signer
from services.kernel.errors import BadSettings

TEXT = """
[node]
name = "nanjing"
gateway = "http://127.0.0.1:1"
database = "data/node.db"

[[participants]]
id = "320100.market_regulator"
key_file = "own.key"

[participants.city]
dialect = "320100"
url = "http://127.0.0.1:2"
concurrency = 3

[participants.city.retry]
attempts = 7
"""


def write(folder: Path, text: str = TEXT) -> Path:
    key = folder / "own.key"
    key.write_text(signer_from_seed("320100.market_regulator", b"k" * 32).private_line())
    key.chmod(0o600)
    path = folder / "node.toml"
    path.write_text(text)
    return path


def test_a_configuration_is_read_with_paths_relative_to_its_file(tmp_path: Path) -> None:
    config = load_config(write(tmp_path))
    assert config.database == tmp_path / "data" / "node.db"
    (member,) = config.participants
    assert read_signer(config, member).public.participant == member.id
    assert config.connector_name(member) == member.id
    assert member.city is not None
    pace = member.city.pace()
    assert (pace.concurrency, pace.limits.attempts, pace.backoff.first_s) == (3, 7, 0.5)


def test_a_participant_with_an_sm2_key_signs_with_it_and_proves_itself_with_the_other(tmp_path: Path) -> None:
    gm = sm2_signer("320100.market_regulator", b"g" * 32)
    text = TEXT.replace('key_file = "own.key"', 'key_file = "own.key"\nsm2_key_file = "gm.key"')
    path, key = write(tmp_path, text), tmp_path / "gm.key"
    key.write_text(gm.private_line())
    key.chmod(0o600)
    config = load_config(path)
    (member,) = config.participants
    assert read_sealing_signer(config, member) == gm
    assert read_signer(config, member).suite == "ed25519"
    for line in (sm2_signer("320500.police", b"g" * 32).private_line(), (tmp_path / "own.key").read_text()):
        key.write_text(line)
        with pytest.raises(BadSettings, match=r"gm\.key"):
            read_sealing_signer(config, member)
    plain = load_config(write(tmp_path))
    assert read_sealing_signer(plain, plain.participants[0]) == read_signer(plain, plain.participants[0])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("[node]", "[node]\nnmae = 1"),
        ('name = "nanjing"', ""),
        ('name = "nanjing"', 'name = "Nan jing"'),
        ("concurrency = 3", "concurrency = 0"),
        ("attempts = 7", "attempts = 0"),
        ("attempts = 7", 'attempts = "many"'),
        ('id = "320100.market_regulator"', 'id = "nanjing"'),
        ("[participants.city.retry]", '[participants.city.auth]\nkind = "oauth2"\n[participants.city.retry]'),
        ("[participants.city.retry]", '[participants.city.auth]\nkind = "magic"\n[participants.city.retry]'),
        ("[[participants]]", "[[members]]"),
        ("[node]", "[node"),
    ],
)
def test_what_is_misspelt_missing_or_out_of_range_is_refused_with_the_file_named(
    tmp_path: Path, old: str, new: str
) -> None:
    with pytest.raises(BadSettings, match=r"node\.toml"):
        load_config(write(tmp_path, TEXT.replace(old, new, 1)))


def test_a_participant_stands_once_and_so_does_a_connector(tmp_path: Path) -> None:
    again = TEXT + '\n[[participants]]\nid = "320100.market_regulator"\nkey_file = "own.key"\n'
    with pytest.raises(BadSettings):
        load_config(write(tmp_path, again))
    other = TEXT + (
        '\n[[participants]]\nid = "320500.police"\nkey_file = "own.key"\n[participants.city]\n'
        'dialect = "320500"\nurl = "http://127.0.0.1:3"\nname = "320100.market_regulator"\n'
    )
    with pytest.raises(BadSettings):
        load_config(write(tmp_path, other))


def test_a_missing_file_is_a_bad_setting(tmp_path: Path) -> None:
    with pytest.raises(BadSettings):
        load_config(tmp_path / "node.toml")


def test_the_key_of_another_is_refused(tmp_path: Path) -> None:
    config = load_config(write(tmp_path))
    (tmp_path / "own.key").write_text(signer_from_seed("330100.police", b"k" * 32).private_line())
    with pytest.raises(BadSettings, match=r"330100\.police"):
        read_signer(config, config.participants[0])


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_secret_that_others_may_read_is_refused_and_never_repeated(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "secret"
    path.write_text("hidden-word\n")
    path.chmod(mode)
    with pytest.raises(BadSettings) as refused:
        read_secret(path)
    assert "hidden-word" not in str(refused.value)
    path.chmod(0o600)
    assert read_secret(path) == "hidden-word"


@pytest.mark.parametrize("line", [None, "", "ipx-public-key/v1 exchange.operator x"])
def test_without_a_root_key_there_is_no_node(line: str | None) -> None:
    with pytest.raises(BadSettings):
        read_root_key(line)


def test_the_root_key_is_read() -> None:
    public = signer_from_seed("exchange.operator", b"r" * 32).public
    assert read_root_key(public.line()) == public

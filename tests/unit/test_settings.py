"""Goal: a wrong setting is named, never guessed, and secrets do not show. Method: made-up environments and files."""

from pathlib import Path

import pytest

from imp.errors import InvalidInput, NotFound
from imp.secret import Secret, make_secret_file, read_secret
from imp.settings import Settings

HEX = bytes(range(32)).hex()


def test_settings_come_from_the_environment_and_options_win() -> None:
    environment = {
        "IMP_DIRECTORY": "/data",
        "IMP_PORT": "9000",
        "IMP_TRUSTED_PROXIES": "10.0.0.0/8,::1/128",
        "IMP_COOKIE_SECURE": "false",
        "HOME": "/root",
    }
    settings = Settings.from_environment(environment, port=9001, host=None)
    assert settings.directory == Path("/data")
    assert (settings.port, settings.host) == (9001, "127.0.0.1")
    assert settings.trusted_proxies == ("10.0.0.0/8", "::1/128")
    assert settings.cookie_secure is False


@pytest.mark.parametrize(
    ("variable", "value", "field"),
    [
        ("IMP_PORT", "http", "port"),
        ("IMP_PORT", "65536", "port"),
        ("IMP_SESSION_US", "1", "session_us"),
        ("IMP_PROT", "1", "IMP_PROT"),
    ],
)
def test_a_wrong_setting_is_named(variable: str, value: str, field: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        Settings.from_environment({variable: value})
    assert refusal.value.field == field


def test_secrets_do_not_show() -> None:
    settings = Settings(secret=HEX, database_url="postgresql://imp:password@db/imp")
    for shown in (repr(settings), str(settings), repr(Secret(bytes(32)))):
        assert HEX not in shown
        assert "password" not in shown
        assert "\\x00" not in shown


def test_a_secret_file_is_made_and_read_by_its_owner_only(tmp_path: Path) -> None:
    made = make_secret_file(tmp_path / "secret")
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600
    assert read_secret(tmp_path, Settings()).reveal() == made.reveal()
    with pytest.raises(FileExistsError):
        make_secret_file(tmp_path / "secret")
    for mode in (0o640, 0o604, 0o666):
        (tmp_path / "secret").chmod(mode)
        with pytest.raises(InvalidInput, match="chmod 600"):
            read_secret(tmp_path, Settings())


@pytest.mark.parametrize("text", ["", "abc", HEX[:-1], HEX + "00", "zz" * 32])
def test_a_text_that_is_no_secret_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        read_secret(Path(), Settings(secret=text))
    assert refusal.value.field == "secret"
    assert not text or text not in str(refusal.value)


def test_one_source_of_the_secret(tmp_path: Path) -> None:
    make_secret_file(tmp_path / "s", Secret(bytes(32)))
    assert read_secret(tmp_path, Settings(secret=HEX)).reveal() == bytes(range(32))
    assert read_secret(tmp_path, Settings(secret_file=tmp_path / "s")).reveal() == bytes(32)
    with pytest.raises(InvalidInput, match="only one"):
        read_secret(tmp_path, Settings(secret=HEX, secret_file=tmp_path / "s"))
    with pytest.raises(NotFound, match="IMP_SECRET_FILE"):
        read_secret(tmp_path, Settings())


def test_a_key_service_adapter_is_any_callable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "our_kms.py").write_text("def master():\n    return bytes(range(32))\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert read_secret(tmp_path, Settings(secret_kms="our_kms:master")).reveal() == bytes(range(32))
    for wrong in ("our_kms:other", "no_such_module:master", "our_kms", ""):
        with pytest.raises(InvalidInput, match="module:callable"):
            read_secret(tmp_path, Settings(secret_kms=wrong))

"""Wrong settings stop the process and name what is wrong."""

import pytest

from config import settings
from config.settings import Settings, SettingsError
from mutuelle import archive
from workers import archive_old_rows

REQUIRED = {
    "DATABASE_URL": "postgresql://mutuelle@localhost/x",
    "REDIS_URL": "redis://localhost:6379/0",
    "PUBLIC_URL": "https://ussd.example.org",
    "SECRET_KEY": "s" * 32,
    "PHONE_KEY": "p" * 32,
    "AT_USERNAME": "sandbox",
    "AT_API_KEY": "key",
}


@pytest.fixture
def env(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in REQUIRED.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def refusal() -> str:
    with pytest.raises(SettingsError) as stopped:
        settings.load()
    return str(stopped.value)


def test_the_required_settings_are_enough(env: pytest.MonkeyPatch) -> None:
    output = settings.load()
    assert output.public_url == REQUIRED["PUBLIC_URL"]
    assert output.clock_shift == 0


def test_every_missing_variable_is_named(env: pytest.MonkeyPatch) -> None:
    for name in REQUIRED:
        env.delenv(name)
    message = refusal()
    assert all(f"\n  {name}: " in message for name in REQUIRED)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "mysql://x"),
        ("REDIS_URL", "localhost:6379"),
        ("PUBLIC_URL", "ussd.example.org"),
        ("SECRET_KEY", "canary-short"),
        ("PHONE_KEY", ""),
        ("WAVE_BASE_URL", "file:///etc/passwd"),
        ("MTN_BASE_URL", "http://"),
        ("AT_BASE_URL", "canary"),
        ("WEB_PORT", "0"),
        ("WEB_THREADS", "many"),
        ("LOG_LEVEL", "LOUD"),
        ("USSD_SESSION_S", "1"),
        ("CLOCK_SHIFT", "tomorrow"),
    ],
)
def test_a_wrong_variable_is_named_and_its_value_not_shown(
    env: pytest.MonkeyPatch, name: str, value: str
) -> None:
    env.setenv(name, value)
    message = refusal()
    assert message.count("\n") == 1
    assert f"\n  {name}: " in message
    assert "canary" not in message


@pytest.mark.parametrize(
    "url", ["https://api.wave.com", "http://localhost.example.org", "http://10.0.0.1", "http://[::2]"]
)
def test_the_clock_is_shifted_in_a_pretend_world_only(env: pytest.MonkeyPatch, url: str) -> None:
    env.setenv("CLOCK_SHIFT", "86400")
    for name in ("AT_BASE_URL", "MTN_BASE_URL", "WAVE_BASE_URL"):
        env.setenv(name, "http://127.0.0.1:8001/x")
    assert settings.load().clock_shift == 86_400
    assert settings.load().pretend_world
    env.setenv("WAVE_BASE_URL", url)
    assert "CLOCK_SHIFT is refused unless" in refusal()
    env.delenv("CLOCK_SHIFT")
    assert not settings.load().pretend_world


def test_settings_are_frozen(env: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="frozen"):
        settings.load().web_port = 1  # type: ignore[misc]


def test_no_row_goes_before_what_is_still_needed(env: pytest.MonkeyPatch) -> None:
    """The least values are those by which `verify` judges a run of the archive."""
    named = Settings.model_construct(**{name: name for name in Settings.model_fields})
    names = archive_old_rows.days_kept(named)
    assert names.keys() == archive.LEAST_DAYS.keys()
    for table, name in names.items():
        least = archive.LEAST_DAYS[table]
        env.setenv("NOTICE_DAYS", "30")
        env.setenv(str(name).upper(), str(least - 1))
        assert f"{name}".upper() in refusal()
        env.setenv(str(name).upper(), str(least))
        assert getattr(settings.load(), str(name)) == least
        env.delenv(str(name).upper())


def test_notices_stay_at_least_as_long_as_their_bodies(env: pytest.MonkeyPatch) -> None:
    env.setenv("NOTICE_DAYS", "900")
    assert "NOTICE_ROW_DAYS is refused below NOTICE_DAYS" in refusal()
    env.setenv("NOTICE_ROW_DAYS", "900")
    assert settings.load().notice_row_days == 900

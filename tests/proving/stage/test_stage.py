"""Tests with tiny programs that the stage starts, notices what ends, keeps data and stops fast."""

import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from config.settings import Settings
from proving.demo import run
from proving.stage import server_files, state
from proving.stage.server_files import CannotStart
from proving.stage.stage import Program, Stage, answers_ok, neutral_env

PAGES = "{python} -m http.server --bind 127.0.0.1 --directory {state_dir}/logs "
PROGRAMS = {
    "sandbox": Program(PAGES + "{sandbox_port}", "{sandbox_url}/"),
    "web": Program(PAGES + "{web_port}", "{web_url}/"),
    "worker-money": Program("{python} {state_dir}/../idle.py"),
}
SEEDED = {"endpoints": {"web": "…"}, "sandbox": {"africastalking": {"username": "sandbox"}}}


@pytest.fixture
def state_dir(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "idle.py").write_text("import time; time.sleep(600)")
    (tmp_path / "fails.py").write_text("raise SystemExit('no licence')")
    yield tmp_path / "var"
    server_files.forget(tmp_path / "var")


@pytest.fixture
def make_stage(state_dir: Path) -> Callable[..., Stage]:
    def make(**options) -> Stage:
        return Stage(state_dir, programs=PROGRAMS, release="{python} --version", **options)

    return make


def test_everything_starts_falls_and_starts_again(make_stage):
    with make_stage() as stage:
        stage.seed(lambda env, sandbox_url, web_url: SEEDED)
        stage.start()
        assert answers_ok(stage.web_url)
        assert answers_ok(stage.sandbox_url)
        assert stage.fallen() == []
        stage.kill("web")
        stage.kill("redis")
        stage.kill("postgres")
        assert stage.fallen() == ["postgres", "redis", "web"]
        for name in stage.fallen():
            stage.restart(name)
        assert stage.fallen() == []
        assert stage.postgres.answers()
        stage.stop("worker-money")
        assert stage.fallen() == []  # it was asked to
        began = time.monotonic()
    assert time.monotonic() - began < 10
    assert not answers_ok(stage.web_url)
    assert not stage.postgres.answers()


def test_a_second_start_keeps_data_secrets_and_seed_under_new_addresses(make_stage, state_dir: Path):
    calls = []

    def seed(env, sandbox_url, web_url):
        calls.append(env)
        return {
            "endpoints": {"web": web_url, "sandbox": sandbox_url},
            "sandbox": {"code": f"{web_url}/ussd/x"},
        }

    with make_stage() as stage:
        stage.seed(seed)
        first = stage.env
        with psycopg.connect(stage.env["DATABASE_URL"]) as connection:
            connection.execute("CREATE TABLE kept ()")
    with make_stage() as stage:
        endpoints = stage.seed(seed)["endpoints"]
        with psycopg.connect(stage.env["DATABASE_URL"]) as connection:
            connection.execute("SELECT FROM kept")
        assert endpoints == {"web": stage.web_url, "sandbox": stage.sandbox_url}
        assert state.read(state_dir / "sandbox.json")["code"] == f"{stage.web_url}/ussd/x"
        assert state.read(state_dir / "sandbox.json")["port"] == stage.sandbox_port
        assert {stage.env[name] == first[name] for name in ("SECRET_KEY", "PHONE_KEY", "AT_API_KEY")} == {
            True
        }
        for name in ("secrets.json", "demo.json", "sandbox.json"):
            assert stat.S_IMODE((state_dir / name).stat().st_mode) == 0o600
    assert len(calls) == 1


def test_the_product_is_given_its_settings_and_nothing_else(
    make_stage, monkeypatch: pytest.MonkeyPatch, state_dir: Path
):
    with make_stage(settings={"CLOCK_SHIFT": "3600"}) as stage:
        names = set(stage.env) - set(neutral_env(state_dir))
        assert names <= {name.upper() for name in Settings.model_fields}
        for name in Settings.model_fields:
            monkeypatch.delenv(name.upper(), raising=False)
        for name, value in stage.env.items():
            monkeypatch.setenv(name, value)
        assert Settings().clock_shift == 3600
        stage.seed(lambda env, sandbox_url, web_url: SEEDED)
        assert state.read(state_dir / "sandbox.json")["clock_shift_s"] == 3600


def test_one_folder_holds_one_copy_and_cannot_be_forgotten_meanwhile(make_stage, state_dir: Path):
    with make_stage() as stage:
        with (
            pytest.raises(CannotStart, match=f"already running(.|\n)*{stage.web_url}(.|\n)*STATE_DIR=var2"),
            make_stage(),
        ):
            pass
        with pytest.raises(CannotStart, match="already running"):
            run.fresh(state_dir)
        assert stage.postgres.answers()
    run.fresh(state_dir)
    assert [path.name for path in state_dir.iterdir()] == ["lock"]


def test_two_copies_run_side_by_side(make_stage, tmp_path: Path):
    with (
        make_stage() as first,
        Stage(tmp_path / "var2", programs=PROGRAMS, release="{python} --version") as second,
    ):
        first.start("web")
        second.start("web")
        assert first.env["DATABASE_URL"] != second.env["DATABASE_URL"]
    server_files.forget(tmp_path / "var2")


def test_a_taken_port_names_the_variable_to_change(make_stage):
    with make_stage() as stage:
        stage.start("web")
        with pytest.raises(CannotStart, match=f"Port {stage.web_port} is taken.*SANDBOX_PORT="):
            Stage(
                stage.state_dir.parent / "other", sandbox_port=stage.web_port, programs=PROGRAMS
            ).__enter__()
    server_files.forget(stage.state_dir.parent / "other")


def test_a_failed_release_stops_the_start_and_shows_its_last_lines(state_dir: Path):
    stage = Stage(state_dir, programs=PROGRAMS, release="{python} {state_dir}/../fails.py")
    with pytest.raises(CannotStart, match=r"release failed(.|\n)*no licence"):
        stage.__enter__()
    assert not stage.postgres.answers()


def test_a_program_that_never_answers_is_reported(make_stage):
    with make_stage() as stage:
        stage.programs = {"web": Program("{python} {state_dir}/../fails.py", "{web_url}/")}
        with pytest.raises(CannotStart, match=r"web ended(.|\n)*no licence"):
            stage.start("web")


def test_what_falls_again_and_again_stops_the_stage(
    make_stage, state_dir: Path, capsys: pytest.CaptureFixture[str]
):
    (state_dir.parent / "idle.py").write_text("import time; time.sleep(0.5); raise SystemExit('no queue')")
    with make_stage() as stage:
        stage.start("worker-money")
        with pytest.raises(CannotStart, match=r"worker-money fell 3 times(.|\n)*no queue"):
            run.keep_up(stage)
    assert capsys.readouterr().out.count(str(stage.log_of("worker-money"))) == 2

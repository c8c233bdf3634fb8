"""Every warning and every mistake of a configuration has the line that helps."""

from pathlib import Path

import pytest

from streamtui.cli.doctor.configuration import check_configuration, check_error
from streamtui.cli.doctor.findings import Finding
from streamtui.config import load_config
from streamtui.errors import ConfigError
from tests.cli.doctor.conftest import Configure
from tests.cli.doctor.reading import about, fix_lines, states, where

FAR = '[endpoints.far]\ndialect = "openai-chat"\nbase_url = "https://host.example/v1"\n'
KEY = "sk-abcdefabcdefabcdef1"


def refusal(path: Path, text: str, env: dict[str, str] | None = None) -> Finding:
    """What is said about a file that cannot be used."""
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_config(path, environ=env or {})
    return check_error(caught.value, path)


def test_a_good_configuration_is_told_in_one_line(configure: Configure) -> None:
    config, lines, _ = configure(FAR)
    (finding,) = check_configuration(config, lines)
    assert finding.state == "ok"
    assert finding.words == "endpoints: far, demo; far is the default"


def test_a_missing_key_is_a_problem_with_the_command(configure: Configure) -> None:
    config, lines, _ = configure(f'{FAR}api_key_env = "FAR_KEY"\n')
    finding = about(check_configuration(config, lines), "has no key")
    assert finding.state == "problem"
    assert fix_lines(finding) == ("export FAR_KEY=…",)


def test_a_proxy_of_the_environment_that_is_not_used_is_a_note(configure: Configure) -> None:
    near = '[endpoints.near]\ndialect = "ollama"\nbase_url = "http://127.0.0.1:1"\n'
    env = {"HTTPS_PROXY": "http://me:secret@proxy.example:3128"}
    config, lines, _ = configure(near + FAR, env=env)
    finding = about(check_configuration(config, lines), "HTTPS_PROXY")
    assert finding.state == "note"
    assert fix_lines(finding) == ('proxy = "env"',)
    assert where(finding) == "~/config.toml, under [endpoints.far] in line 4"
    assert "secret" not in finding.words


def test_a_key_over_plain_http_is_a_note(configure: Configure) -> None:
    text = FAR.replace("https:", "http:") + 'api_key_env = "FAR_KEY"\n'
    config, lines, _ = configure(text, env={"FAR_KEY": KEY})
    finding = about(check_configuration(config, lines), "over http://")
    assert finding.state == "note"
    assert fix_lines(finding) == ('base_url = "https://host.example/v1"',)
    assert where(finding) == "~/config.toml, line 3"


def test_certificates_that_are_not_checked_are_a_note(configure: Configure) -> None:
    config, lines, _ = configure(f"{FAR}tls = {{ verify = false }}\n")
    finding = about(check_configuration(config, lines), "tls.verify")
    assert finding.state == "note"
    assert fix_lines(finding) == ('tls = { ca_file = "/path/to/authority.pem" }',)
    assert where(finding) == "~/config.toml, line 4"


@pytest.mark.parametrize(
    ("env", "command"),
    [
        ({"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": "ftp://x"}, "unset OPENAI_BASE_URL"),
        ({"OPENAI_API_KEY": "two words"}, "export OPENAI_API_KEY=…"),
    ],
)
def test_an_endpoint_that_is_left_out_is_a_problem(
    env: dict[str, str], command: str, configure: Configure
) -> None:
    config, lines, _ = configure(env=env)
    finding = about(check_configuration(config, lines), "left out")
    assert finding.state == "problem"
    assert fix_lines(finding) == (command,)


def test_exceptions_from_the_proxy_that_mean_nothing_are_a_note(configure: Configure) -> None:
    env = {"HTTPS_PROXY": "http://proxy.example:3128", "NO_PROXY": "a*b"}
    config, lines, _ = configure(f'{FAR}proxy = "env"\n', env=env)
    finding = about(check_configuration(config, lines), "NO_PROXY")
    assert fix_lines(finding)[0].startswith("export NO_PROXY=")


def test_a_password_that_others_read_has_its_command(tmp_path: Path, configure: Configure) -> None:
    (tmp_path / "config.toml").touch(mode=0o644)
    config, lines, path = configure('[proxies.office]\nurl = "http://me:secret@p.example:1"\n')
    finding = about(check_configuration(config, lines), "the password of a proxy")
    assert finding.state == "note"
    assert finding.words.endswith("others can read it")
    assert fix_lines(finding) == (f"chmod 600 {path}",)


def test_every_warning_of_the_loader_has_a_line(configure: Configure, tmp_path: Path) -> None:
    (tmp_path / "config.toml").touch(mode=0o644)
    text = (
        '[proxies.p]\nurl = "http://me:secret@p.example:1"\n'
        f'{FAR.replace("https:", "http:")}api_key_env = "OPENAI_API_KEY"\n'
        f'{FAR.replace("far", "open")}tls = {{ verify = false }}\nproxy = "env"\n'
    )
    env = {
        "OPENAI_API_KEY": KEY,
        "OPENAI_BASE_URL": "ftp://x",
        "ALL_PROXY": "http://proxy.example:3128",
        "NO_PROXY": "a*b",
    }
    config, lines, _ = configure(text, env=env)
    findings = list(check_configuration(config, lines))
    assert len(findings) == 1 + len(config.warnings)
    assert len(config.warnings) == 6
    assert all(finding.fix for finding in findings[1:])
    assert "ok" not in states(findings[1:])


def test_a_mistake_has_the_command_that_opens_its_line(tmp_path: Path) -> None:
    path = tmp_path / "my config.toml"
    finding = refusal(path, '[defaults]\ntheme = "night"\nendpont = "x"\n')
    assert finding.state == "problem"
    assert finding.words.startswith(f"{path}:3: defaults.endpont: ")
    assert fix_lines(finding) == (f"${{EDITOR:-vi}} +3 '{path}'",)


def test_a_key_in_a_shared_file_has_its_command(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.touch(mode=0o644)
    finding = refusal(path, f'{FAR}api_key = "{KEY}"\n')
    assert fix_lines(finding) == (f"chmod 600 {path}",)
    assert "run:" not in finding.words
    assert KEY not in finding.words


def test_a_password_that_is_not_set_has_its_command(tmp_path: Path) -> None:
    text = '[proxies.p]\nurl = "http://p.example:1"\nusername = "me"\npassword_env = "WORD"\n'
    assert fix_lines(refusal(tmp_path / "config.toml", text)) == ("export WORD=…",)


def test_a_proxy_variable_that_is_none_has_its_command(tmp_path: Path) -> None:
    env = {"ALL_PROXY": "ftp://x"}
    finding = refusal(tmp_path / "config.toml", f'{FAR}proxy = "env"\n', env)
    assert fix_lines(finding) == ("export ALL_PROXY=…",)


def test_a_file_that_is_not_there_can_be_made(tmp_path: Path) -> None:
    path = tmp_path / "none.toml"
    with pytest.raises(ConfigError) as caught:
        load_config(path, environ={})
    finding = check_error(caught.value, path)
    assert fix_lines(finding) == (f"streamtui config init --config {path}",)


def test_a_file_whose_name_is_too_long_is_told(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 300)
    with pytest.raises(ConfigError) as caught:
        load_config(path, environ={})
    assert "File name too long" in check_error(caught.value, path).words

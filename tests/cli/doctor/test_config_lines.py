"""Lines for config.toml are such that the file can be used with them."""

import tomllib

from streamtui.cli.doctor.config_lines import toml_text
from streamtui.config import load_config
from tests.cli.doctor.conftest import Configure

OWN = '# mine\n[endpoints.own]\ndialect = "openai-chat"\nbase_url = "https://host.example"\n'
ENV_PROXY = toml_text("env")


def test_a_key_that_is_there_is_named_by_its_line(configure: Configure) -> None:
    config, lines, _ = configure(OWN)
    fix = lines.for_endpoint(config.endpoints["own"], "base_url", toml_text("http://x"))
    assert fix is not None
    assert (fix.where, fix.lines) == ("~/config.toml, line 4", ('base_url = "http://x"',))


def test_a_key_that_is_missing_goes_into_its_table(configure: Configure) -> None:
    config, lines, _ = configure(OWN)
    fix = lines.for_endpoint(config.endpoints["own"], "proxy", ENV_PROXY)
    assert fix is not None
    assert fix.where == "~/config.toml, under [endpoints.own] in line 2"
    assert fix.lines == ('proxy = "env"',)


def test_an_endpoint_of_the_managed_file_gets_a_table_that_wins(configure: Configure) -> None:
    config, lines, path = configure("", managed=OWN)
    fix = lines.for_endpoint(config.endpoints["own"], "model", toml_text("better"))
    assert fix is not None
    assert fix.lines == ("[endpoints.own]", 'model = "better"')
    path.write_text("\n".join(fix.lines))
    assert load_config(path, environ={}).endpoints["own"].model == "better"


def test_a_known_endpoint_becomes_the_users_own(configure: Configure) -> None:
    env = {"OPENAI_API_KEY": "sk-abcdefabcdef", "HTTPS_PROXY": "http://proxy.example:3128"}
    config, lines, path = configure(env=env)
    before = config.endpoints["openai"]
    fix = lines.for_endpoint(before, "proxy", ENV_PROXY)
    assert fix is not None
    assert fix.where == "~/config.toml"
    path.write_text("\n".join(fix.lines))
    after = load_config(path, environ=env).endpoints["openai"]
    assert after.proxy is not None
    assert (after.base_url, after.model, after.api_key) == (
        before.base_url,
        before.model,
        before.api_key,
    )


def test_the_demo_has_no_lines(configure: Configure) -> None:
    config, lines, _ = configure()
    assert lines.for_endpoint(config.endpoints["demo"], "proxy", ENV_PROXY) is None


def test_lines_for_a_proxy_go_into_its_table(configure: Configure) -> None:
    _, lines, _ = configure('[proxies.office]\nurl = "http://proxy.example:3128"\n')
    fix = lines.for_proxy("office", {"username": "me"})
    assert fix.where == "~/config.toml, under [proxies.office] in line 1"
    assert fix.lines == ('username = "me"',)


def test_texts_are_written_as_toml_reads_them() -> None:
    text = 'a"\\b\x1b\n'
    written = toml_text(text)
    assert "\n" not in written
    assert tomllib.loads(f"k = {written}") == {"k": text}

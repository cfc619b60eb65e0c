from pathlib import Path

import pytest

from mlops_assets.config import (
    ConfigError,
    PlatformConfig,
    configs_folder,
    home,
    load_platform,
    platform_name,
)


def test_the_environment_is_read_when_it_is_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("MLOPS_HOME", "MLOPS_CONFIGS", "MLOPS_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    assert (home(), configs_folder(), platform_name()) == (
        tmp_path / ".mlops",
        tmp_path / "configs",
        "embedded",
    )
    monkeypatch.setenv("MLOPS_HOME", "elsewhere/..//x")
    monkeypatch.setenv("MLOPS_PLATFORM", "spark")
    assert (home(), platform_name()) == (tmp_path / "x", "spark")
    assert PlatformConfig().home == tmp_path / "x"


def test_a_platform_needs_no_document(tmp_path: Path) -> None:
    platform = load_platform("embedded", tmp_path)
    assert (platform.gateway.host, platform.gateway.port) == ("127.0.0.1", 8787)


def test_a_platform_document_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "s3cr3t")
    (tmp_path / "platforms").mkdir()
    file = tmp_path / "platforms" / "databricks.yaml"
    file.write_text("name: databricks\ndatabricks: {token: '${TOKEN}', catalog: lab}\n")
    platform = load_platform("databricks", tmp_path)
    assert platform.databricks.catalog == "lab"
    assert "s3cr3t" not in repr(platform)
    file.write_text("name: spark\n")
    with pytest.raises(ConfigError, match=r"databricks\.yaml:1:7: name: this file is for platform"):
        load_platform("databricks", tmp_path)


def test_an_unknown_platform_is_refused_with_the_nearest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_PLATFORM", "databrick")
    with pytest.raises(ConfigError, match=r"unknown platform 'databrick'; did you mean 'databricks'\?"):
        load_platform()

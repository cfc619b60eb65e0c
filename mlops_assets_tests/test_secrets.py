"""One reference, four stores."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from mlops_assets.secrets import SecretError, read_secret, resolved
from mlops_assets_tests.workspace_stub import TOKEN, workspace
from mlops_assets_tests.workspace_stub.faults import Faults
from mlops_assets_tests.workspace_stub.http import Call, Refused, listening

VALUE = "correct-horse-battery"
CHALLENGE = 'Bearer authorization="https://login.microsoftonline.com/tenant", resource="https://vault.azure.net"'


@pytest.fixture(params=["environment", "databricks", "aws", "azure"])
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A store that holds team/webhook and nothing else."""
    monkeypatch.setenv("MLOPS_SECRETS", request.param)
    if request.param == "environment":
        monkeypatch.setenv("MLOPS_SECRET_TEAM_WEBHOOK", VALUE)
        yield request.param
    elif request.param == "databricks":
        with workspace(tmp_path) as there:
            there.secrets.values["team", "webhook"] = VALUE
            monkeypatch.setenv("DATABRICKS_HOST", there.url)
            monkeypatch.setenv("DATABRICKS_TOKEN", TOKEN)
            yield request.param
    elif request.param == "aws":
        yield from aws(monkeypatch)
    else:
        yield from azure(monkeypatch)


def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    import boto3
    from moto import mock_aws

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    with mock_aws():
        boto3.client("secretsmanager").create_secret(Name="team/webhook", SecretString=VALUE)
        yield "aws"


def azure(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Azure's own SDK against a server here; only who is asking is not proved, since no one here can."""
    from azure.core.credentials import AccessToken
    from azure.keyvault.secrets import SecretClient

    class Someone:
        def get_token(self, *_: str, **__: object) -> AccessToken:
            return AccessToken("azure-stand-in", 2**31)

    def secret(call: Call) -> dict[str, object]:
        if call.parts["name"] != "webhook":
            raise Refused(404, "SecretNotFound", "A secret with this name was not found.")
        return {"value": VALUE, "id": f"http://{call.host}/secrets/webhook/1", "attributes": {"enabled": True}}

    monkeypatch.setattr("azure.identity.DefaultAzureCredential", Someone)
    # The SDK sends tokens over https and to Azure's own domain only; the server here has neither.
    monkeypatch.setattr("azure.keyvault.secrets._shared.challenge_auth_policy._enforce_tls", lambda request: None)
    monkeypatch.setattr("azure.keyvault.secrets.SecretClient", partial(SecretClient, verify_challenge_resource=False))
    with listening(
        {"GET /secrets/{name}": secret}, lambda: {"azure-stand-in"}, Faults(), [], [], challenge=CHALLENGE
    ) as url:
        monkeypatch.setenv("AZURE_KEY_VAULT_URL", url)
        yield "azure"


def test_a_reference_is_the_value_that_the_store_holds(store: str) -> None:
    assert resolved("https://hooks.example/${secret:team/webhook}?x=1") == f"https://hooks.example/{VALUE}?x=1"


def test_a_secret_that_is_not_there_is_told_by_its_reference(store: str) -> None:
    with pytest.raises(SecretError, match="team/nothing") as raised:
        resolved("${secret:team/nothing} ${secret:team/webhook}")

    assert VALUE not in str(raised.value)


def test_an_unknown_store_is_told_with_those_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_SECRETS", "vault")

    with pytest.raises(SecretError, match="environment, databricks, aws, azure"):
        read_secret("a", "b")

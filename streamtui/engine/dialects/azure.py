"""Azure OpenAI: the dialects of OpenAI at other paths. An endpoint with an `api_version` is one.

Source: https://learn.microsoft.com/en-us/azure/ai-services/openai/reference.
"""

from collections.abc import Mapping
from urllib.parse import quote, urlencode, urlsplit

from streamtui.config import Endpoint
from streamtui.engine.dialects.base import Request
from streamtui.engine.dialects.requests import get, post

# The only path of ours at which the deployment is named by `model` alone.
_WITHOUT_DEPLOYMENT = "/responses"


def openai_post(endpoint: Endpoint, path: str, body: Mapping[str, object]) -> Request:
    """A request to OpenAI, to a server that imitates it, or to Azure.

    For Azure the base URL may be the resource (`https://NAME.openai.azure.com`), go on to
    `/openai/deployments/DEPLOYMENT`, or end with `/openai/v1`; without a deployment in it, the
    model is the name of the deployment. A token of Entra ID in place of a key needs `auth`
    `bearer`.
    """
    version = endpoint.api_version
    if not version:
        return post(endpoint, path, body, auth="bearer")
    query = urlencode({"api-version": version})
    return post(endpoint, f"{_missing_path(endpoint, path)}{path}?{query}", body, auth="api-key")


def openai_get_models(endpoint: Endpoint) -> Request:
    """The request for the models of OpenAI, of a server that imitates it, or of Azure.

    Azure lists the models that a resource may deploy, not the names of its deployments.
    """
    version = endpoint.api_version
    if not version:
        return get(endpoint, "/models", auth="bearer")
    query = urlencode({"api-version": version})
    return get(endpoint, f"{_path_to_models(endpoint)}/models?{query}", auth="api-key")


def _path_to_models(endpoint: Endpoint) -> str:
    base = urlsplit(endpoint.base_url).path
    if "/deployments/" in base:
        # A deployment has no list; that of its resource is two steps up (RFC 3986, section 5.2.4).
        return "/../.."
    return "" if base.endswith(("/openai", "/v1")) else "/openai"


def _missing_path(endpoint: Endpoint, path: str) -> str:
    """What lacks between base URL and path."""
    base = urlsplit(endpoint.base_url).path
    if "/deployments/" in base or base.endswith("/v1"):
        return ""
    root = "" if base.endswith("/openai") else "/openai"
    if path == _WITHOUT_DEPLOYMENT:
        return root
    return f"{root}/deployments/{quote(endpoint.model, safe='')}"

"""Where a team is reached: told wherever its service is, and a link only where it is one."""

import ast
from typing import Any

import pytest
from conftest import Render
from pydantic import AnyUrl, TypeAdapter
from support.renderings import Rendering
from support.texts import documents
from support.variants import Variant

QUESTION = "contact"
TEAM = "valuation"


def info(rendering: Rendering) -> Any:
    """Return what OpenAPI is told of the contact; None if nothing."""
    for node in ast.walk(ast.parse(rendering.text(f"src/{rendering.variant.package}/app.py"))):
        if isinstance(node, ast.keyword) and node.arg == "contact":
            return ast.literal_eval(node.value)
    return None


@pytest.mark.parametrize(
    ("contact", "url"),
    [
        ("http://wiki.example.com:8080/on-call?a=b", "http://wiki.example.com:8080/on-call?a=b"),
        ("Team+ml@example.com", "mailto:Team+ml@example.com"),
        ("#valuation", None),
        ("https://1.2.3.256/", None),
        ("https://xn--/", None),
        ("javascript:alert(1)", None),
    ],
)
def test_a_contact_is_told_everywhere(contact: str, url: str | None, render: Render) -> None:
    """OpenAPI has a link where the text is a URL or an address that every reader takes."""
    rendering = render(Variant("contact", {"team": TEAM, QUESTION: contact}))

    (deployment,) = documents(rendering.text("deploy/base/deployment.yaml"))
    (rules,) = documents(rendering.text("deploy/components/prometheusrule/prometheusrule.yaml"))
    alerts = rules["spec"]["groups"][0]["rules"]
    assert info(rendering) == ({"name": TEAM, "url": url} if url else {"name": contact})
    assert deployment["metadata"]["annotations"]["contact"] == contact
    assert {alert["annotations"]["contact"] for alert in alerts} == {contact}
    assert "\nContact: " in rendering.text("README.md")
    if url:
        TypeAdapter(AnyUrl).validate_python(url)


def test_no_contact_is_told_nowhere(default: Rendering) -> None:
    """A service whose team gave none is as if there were no such question."""
    (deployment,) = documents(default.text("deploy/base/deployment.yaml"))

    assert info(default) is None
    assert "contact" not in deployment["metadata"]["annotations"]
    assert "Contact: " not in default.text("README.md")
    assert "contact: " not in default.text("deploy/components/prometheusrule/prometheusrule.yaml")

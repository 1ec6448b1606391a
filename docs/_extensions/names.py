"""Names of pearlite in code become links to their pages; one that does not exist is a warning.

In a page `pl.homogenize`, or `pl.laguerre.assign(sites, shape=...)`, within backticks is found; in
a docstring `homogenize`, `pearlite.homogenize` and `pl.homogenize`.
"""

import re
from importlib import import_module

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.transforms import SphinxTransform
from sphinx.util import logging

logger = logging.getLogger(__name__)
_NAME = re.compile(r"(?:pl|pearlite)((?:\.[A-Za-z_]\w*)+)(?:\(.*)?", re.DOTALL)


def exists(dotted: str) -> bool:
    """Tell whether ``pearlite.<dotted>`` exists; an attribute of instances counts."""
    value: object = import_module("pearlite")
    for part in dotted.split("."):
        if not hasattr(value, part):
            return part in getattr(value, "__annotations__", {})
        value = getattr(value, part)
    return True


class Link(SphinxTransform):
    """Put a reference around each name that stands in a line of a page as code."""

    default_priority = 400

    def apply(self) -> None:
        """Go through the code within lines of this page."""
        for node in list(self.document.findall(nodes.literal)):
            match = _NAME.fullmatch(node.astext())
            if match is None or isinstance(node.parent, (nodes.reference, pending_xref)):
                continue
            if match[0].startswith("pearlite.") and not exists(match[1].removeprefix(".")):
                continue  # a file, such as pearlite.h
            link = pending_xref(
                "",
                refdomain="py",
                reftype="obj",
                reftarget=f"pearlite{match[1]}",
                refdoc=self.env.docname,
                refexplicit=True,
                refspecific=False,
            )
            node.replace_self(link)
            link += node


def missing(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.Node
) -> nodes.Node | None:
    """Resolve ``pl.``; a name that exists but has no page of its own is left without a link."""
    match = _NAME.fullmatch(node["reftarget"])
    if match is None or node.get("refdomain") != "py":
        return None
    target = f"pearlite{match[1]}"
    domain = env.domains.python_domain
    if target in domain.objects and app.builder is not None:
        return domain.resolve_xref(env, node["refdoc"], app.builder, "obj", target, node, content)
    return content if exists(match[1].removeprefix(".")) else None


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the transform and what resolves its references."""
    app.add_transform(Link)
    app.connect("missing-reference", missing)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

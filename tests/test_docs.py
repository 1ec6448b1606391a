"""Docstrings have what a reader looks for, examples in pages run, and names in pages exist."""

import ast
import doctest
import importlib
import inspect
import operator
import re
import runpy
from pathlib import Path

import pytest

import pearlite as pl

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [*sorted(DOCS.glob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
MODULES = sorted(path.stem for path in (DOCS / "api").glob("*.md") if path.stem in dir(pl))
UNCHECKED = {name: {"Raises"} for name in ("fluxes", "gradients", "sections")}  # of what was solved
EXCEPTIONS = ("EndingError", "FileError", "MissingPackageError", "PhaseError")


def public(module):
    """Yield the name and the value of each public name of a module."""
    try:
        home = importlib.import_module(f"pearlite.{module}" if module else "pearlite")
    except ModuleNotFoundError as error:
        pytest.skip(f"{error.name} is not installed")
    for name in home.__all__:
        if name in ("__version__", "COLOURS", "ScoreNetwork"):
            continue
        try:
            value = getattr(home, name)
        except ModuleNotFoundError as error:
            if error.name is None or error.name.startswith("pearlite"):
                raise
            continue  # needs a package that is not installed
        yield name, value


def sections(text):
    text = inspect.cleandoc(text or "")
    return set(re.findall(r"^([A-Z][A-Za-z ]+)\n-{3,}$", text, re.MULTILINE))


def test_each_public_module_has_its_page():
    internal = {"autograd", "corrector"}  # behind the functions of pearlite itself
    assert set(MODULES) == {name for name in pl._MODULES if name not in internal}


@pytest.mark.parametrize("module", ["", *MODULES])
def test_docstrings_of_functions_have_their_sections(module):
    for name, function in public(module):
        if not inspect.isfunction(function):
            continue
        text, signature = function.__doc__, inspect.signature(function)
        wanted = {"Parameters", "Examples", "Raises"} - UNCHECKED.get(name, set())
        if signature.return_annotation not in (None, "None"):
            yields = "Iterator" in str(signature.return_annotation)
            wanted.add("Yields" if yields else "Returns")
        assert not wanted - sections(text), (module, name)
        assert ">>> " in text, (module, name)
        for argument in signature.parameters:
            described = rf"^ *\**{argument}(, \**\w+)* :|^ *(\w+, )*\**{argument}(, \**\w+)*( :|$)"
            assert re.search(described, text, re.MULTILINE), (module, name, argument)


@pytest.mark.parametrize("module", ["", *MODULES])
def test_docstrings_of_classes_have_their_sections(module):
    for name, kind in public(module):
        if not inspect.isclass(kind) or name in EXCEPTIONS:
            continue
        found = sections(kind.__doc__)
        assert found & {"Attributes", "Parameters"}, (module, name)
        assert "Parameters" not in found or "Examples" in found, (module, name)
        for key, member in vars(kind).items():
            function = getattr(member, "__func__", member)
            if inspect.isfunction(function) and not key.startswith("_"):
                assert inspect.getdoc(getattr(kind, key)), (module, name, key)


def exists(dotted):
    value = pl
    for part in dotted.split("."):
        if not hasattr(value, part):
            return part in getattr(value, "__annotations__", {})
        value = getattr(value, part)
    return True


def nodes(page):
    """Yield what a page's code blocks in Python consist of."""
    for block in re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), re.DOTALL):
        yield from ast.walk(ast.parse(block))


def below_pl(node):
    """Return the dotted name of an attribute of `pl`, or None."""
    chain = []
    while isinstance(node, ast.Attribute):
        chain.insert(0, node.attr)
        node = node.value
    ours = chain and isinstance(node, ast.Name) and node.id in ("pl", "pearlite")
    return ".".join(chain) if ours else None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_names_in_the_code_of_a_page_exist(page):
    for dotted in filter(None, map(below_pl, nodes(page))):
        try:
            assert exists(dotted), dotted
        except ModuleNotFoundError as error:
            pytest.skip(f"{error.name} is not installed")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_calls_in_the_code_of_a_page_have_arguments_that_exist(page):
    for call in nodes(page):
        dotted = below_pl(call.func) if isinstance(call, ast.Call) else None
        if dotted is None:
            continue
        try:
            function = operator.attrgetter(dotted)(pl)
        except ModuleNotFoundError as error:
            pytest.skip(f"{error.name} is not installed")
        keywords = {keyword.arg: None for keyword in call.keywords}
        inspect.signature(function).bind(*call.args, **keywords)  # TypeError if it does not fit


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_between_files_lead_somewhere(page):
    for target in re.findall(r"\]\((?![a-z]+:|#)([^)\s#]+)", page.read_text("utf-8")):
        made = target.removeprefix("/").startswith("generated/")  # when the site is
        path = DOCS / target[1:] if target.startswith("/") else page.parent / target
        assert made or path.exists(), target


def test_examples_in_pages_run():
    tried = 0
    for page in PAGES:
        flags = doctest.NORMALIZE_WHITESPACE
        failed, count = doctest.testfile(str(page), module_relative=False, optionflags=flags)
        assert not failed, page
        tried += count
    assert tried >= 5


def test_the_tutorial_for_cards_runs_on_the_emulated_one(monkeypatch):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    if torch.cuda.is_available():
        pytest.skip("the tutorial takes the card that is here")
    script = runpy.run_path(str(DOCS / "tutorials" / "09_cuda.py"))
    monkeypatch.setenv("PEARLITE_CUDA", "emulate")
    emulated = script["tour"]("cpu", size=16)
    monkeypatch.delenv("PEARLITE_CUDA")
    for one, other in zip(emulated, script["tour"]("cpu", size=16), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def test_the_citation_has_the_version():
    assert f"\nversion: {pl.__version__}\n" in (ROOT / "CITATION.cff").read_text("utf-8")

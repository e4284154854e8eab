"""ARCHITECTURE.md against the tree, the glossary against the code, and the habits of the house."""

import ast
import re
import tomllib

from tests.conftest import ROOT

SOURCE = ROOT / "src" / "riskengine"


def test_the_tree_in_the_architecture_page_is_the_tree_of_the_code() -> None:
    page = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    drawn = set(re.findall(r"^    ([a-z_]+(?:/|\.py)) ", page, re.M))
    there = {
        f"{path.name}/" if path.is_dir() else path.name
        for path in SOURCE.iterdir()
        if path.name not in {"__init__.py", "__pycache__", "py.typed"}
    }
    assert drawn == there


def test_the_layers_in_the_architecture_page_are_those_that_are_held() -> None:
    page = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    layers = config["tool"]["importlinter"]["contracts"][0]["layers"]
    assert " > ".join(layer.replace(" | ", ", ") for layer in layers) in page.replace("\n", " ")


def test_every_name_of_the_wire_is_in_the_glossary() -> None:
    glossary = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    tree = ast.parse((SOURCE / "service" / "contracts.py").read_text(encoding="utf-8"))
    offer = next(n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == "OfferMessage")
    names = {n.target.id for n in offer.body if isinstance(n, ast.AnnAssign)}  # type: ignore[union-attr]
    steps = {
        "pure_premium", "trend_factor", "actuarial_value", "induced_utilisation", "fixed_expense",
        "permissible_loss_ratio", "offered_premium",
    }  # fmt: skip
    for name in (names | steps) - {"name"}:
        assert f"**{name}**" in glossary, name


def test_modules_and_functions_keep_their_size() -> None:
    for path in SOURCE.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert text.count("\n") <= 400, path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                doc = ast.get_docstring(node) is not None
                start = node.body[0].end_lineno if doc else node.lineno
                assert (node.end_lineno or 0) - (start or 0) <= 50, (path, node.name)


def test_every_module_says_why_it_exists() -> None:
    for path in SOURCE.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        if text:
            assert ast.get_docstring(ast.parse(text)), path


def test_decisions_are_one_page_each() -> None:
    pages = sorted((ROOT / "docs" / "adr").glob("*.md"))
    assert [page.name[:4] for page in pages] == [f"{n:04d}" for n in range(1, len(pages) + 1)]
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert len(text.split()) <= 450, page
        for heading in ("## Why", "## Decision", "## What follows"):
            assert heading in text, (page, heading)

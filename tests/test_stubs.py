"""`_core.pyi` says what `_core` is: the same names, the same kinds of members, the same signatures."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path
from typing import Any

import pytest

import bytewright
from bytewright import _core

STUB = ast.parse(Path(bytewright.__file__).with_name("_core.pyi").read_text(encoding="utf-8"))

#: What Python gives every class without being asked.
IMPLICIT = {
    "__doc__",
    "__module__",
    "__new__",
    "__repr__",
    "__str__",
    "__ne__",
    "__lt__",
    "__le__",
    "__gt__",
    "__ge__",
}


def public(nodes: list[ast.stmt]) -> dict[str, ast.stmt]:
    """The definitions by name, private helpers and imports left out."""
    named = {node.name: node for node in nodes if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    named |= {
        n.target.id: n for n in nodes if isinstance(n, ast.AnnAssign) and isinstance(n.target, ast.Name)
    }  # type: ignore[dict-item]
    return {name: node for name, node in named.items() if not name.startswith("_") or name.startswith("__")}


STUB_NAMES = public(STUB.body)
STUB_CLASSES = {name: node for name, node in STUB_NAMES.items() if isinstance(node, ast.ClassDef)}
METHODS = [
    (class_name, name, node)
    for class_name, class_node in STUB_CLASSES.items()
    for name, node in public(class_node.body).items()
    if isinstance(node, ast.FunctionDef)
]


def decorators(node: ast.FunctionDef | ast.ClassDef) -> set[str]:
    return {decorator.id for decorator in node.decorator_list if isinstance(decorator, ast.Name)}


def stub_parameters(node: ast.FunctionDef) -> list[tuple[str, str, str | None]]:
    """(name, kind, default as source) of each parameter."""
    arguments = node.args
    ordinary = [*arguments.posonlyargs, *arguments.args]
    defaults: list[ast.expr | None] = [None] * (len(ordinary) - len(arguments.defaults))
    defaults += arguments.defaults
    source = [None if default is None else ast.unparse(default) for default in defaults]
    result = [(a.arg, "POSITIONAL_OR_KEYWORD", d) for a, d in zip(ordinary, source, strict=True)]
    if arguments.vararg:
        result.append((arguments.vararg.arg, "VAR_POSITIONAL", None))
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        result.append((argument.arg, "KEYWORD_ONLY", None if default is None else ast.unparse(default)))
    if arguments.kwarg:
        result.append((arguments.kwarg.arg, "VAR_KEYWORD", None))
    if result and result[0][0] in {"self", "cls"} and "staticmethod" not in decorators(node):
        result = result[1:]
    return result


def real_parameters(function: Any) -> list[tuple[str, str, str | None]]:
    """The same, of the function that is really there."""
    parameters = list(inspect.signature(function).parameters.values())
    if parameters and parameters[0].name in {"self", "cls"}:
        parameters = parameters[1:]
    return [(p.name, p.kind.name, None if p.default is p.empty else repr(p.default)) for p in parameters]


def test_the_module_has_the_names_of_its_stub() -> None:
    real = {name for name in vars(_core) if not name.startswith("_")} | {"__version__"}
    assert real == set(STUB_NAMES)


@pytest.mark.parametrize("class_name", STUB_CLASSES)
def test_classes_have_the_members_of_their_stubs(class_name: str) -> None:
    node, real = STUB_CLASSES[class_name], getattr(_core, class_name)
    assert set(vars(real)) - IMPLICIT == set(public(node.body)) - IMPLICIT
    is_final = not real.__flags__ & (1 << 10)  # Py_TPFLAGS_BASETYPE
    assert is_final == ("final" in decorators(node))


@pytest.mark.parametrize(("class_name", "name", "node"), METHODS, ids=[f"{c}.{n}" for c, n, _ in METHODS])
def test_members_are_of_the_kind_of_their_stubs(class_name: str, name: str, node: ast.FunctionDef) -> None:
    real_class = getattr(_core, class_name)
    if name == "__new__":
        assert real_parameters(real_class) == stub_parameters(node)
        return
    kinds = {
        "getset_descriptor": "property",
        "staticmethod": "staticmethod",
        "classmethod_descriptor": "classmethod",
    }
    kind = kinds.get(type(vars(real_class)[name]).__name__)
    assert decorators(node) == ({kind} if kind else set())
    if kind != "property" and not name.startswith("__"):
        assert real_parameters(getattr(real_class, name)) == stub_parameters(node)


def test_functions_have_the_parameters_of_their_stubs() -> None:
    functions = {name: node for name, node in STUB_NAMES.items() if isinstance(node, ast.FunctionDef)}
    assert functions
    for name, node in functions.items():
        assert real_parameters(getattr(_core, name)) == stub_parameters(node)


def test_public_methods_are_documented() -> None:
    for class_name, name, node in METHODS:
        if not name.startswith("__") and "property" not in decorators(node):
            owner = getattr(bytewright, class_name)
            assert inspect.getdoc(getattr(owner, name)), f"{class_name}.{name}"

"""Prints what the Python clients of OpenSearch and Elasticsearch publish of the interface, one operation a line: METHOD PATH, with
{} where a name stands."""

import ast
import pathlib

import elasticsearch
import opensearchpy


def literal(node):
    """What is known of a text: {} stands for what is not."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(literal(part) or "{}" for part in node.values)
    return None


def methods(node, assigned):
    if isinstance(node, ast.Constant):
        return {node.value}
    if isinstance(node, ast.IfExp):
        return methods(node.body, assigned) | methods(node.orelse, assigned)
    if isinstance(node, ast.Name):
        return set().union(*(methods(value, {}) for value in assigned.get(node.id, [])))
    raise ValueError(ast.dump(node))


def paths(node, assigned, required=()):
    """All that a path can be: what _make_path is given may be left out, unless the client insists on it."""
    if isinstance(node, ast.Name):
        return set().union(*(paths(value, {}, required) for value in assigned.get(node.id, [])))
    if isinstance(node, ast.Call) and node.func.id == "_make_path":
        all = [""]
        for part in node.args:
            text = literal(part)
            if text is not None:
                all = [p + "/" + text.strip("/") for p in all]
            else:
                left_out = [] if part.id in required else all
                all = [p + "/{}" for p in all] + left_out
        return {p or "/" for p in all}
    text = literal(node)
    if text is None:
        raise ValueError(ast.dump(node))
    return {text}


def insists(function):
    """The names without which a function of OpenSearch's client raises an error."""
    names = set()
    for node in ast.walk(function):
        if isinstance(node, ast.For) and isinstance(node.iter, ast.Tuple):
            names |= {e.id for e in node.iter.elts if isinstance(e, ast.Name)}
        if isinstance(node, ast.If) and isinstance(node.test, ast.Compare) and any(isinstance(b, ast.Raise) for b in node.body) and isinstance(node.test.left, ast.Name):
            names.add(node.test.left.id)
    return names


def operations(function):
    assigned = {}
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            assigned.setdefault(node.targets[0].id, []).append(node.value)
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "perform_request" and len(node.args) >= 2:
            try:
                for method in methods(node.args[0], assigned):
                    for path in paths(node.args[1], assigned, insists(function)):
                        yield f"{method} {path}"
            except (ValueError, AttributeError):
                continue  # the door through which all the others go


seen = set()
for package in ("opensearchpy/client", "opensearchpy/plugins", "elasticsearch/_sync/client"):
    client = {"opensearchpy": opensearchpy, "elasticsearch": elasticsearch}[package.split("/")[0]]
    for path in (pathlib.Path(client.__file__).parent / package.partition("/")[2]).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                seen.update(f"{package.split('/')[0]} {operation}" for operation in operations(node))
print("\n".join(sorted(seen)))

"""The rules of this repository, as tests: arrows, names, sizes, contracts, and what may lie in it.

Invariants: nothing of ours is imported here; files are read as text or syntax. Units: lengths in lines."""

from __future__ import annotations

import ast
import os
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]

TOP_LEVEL = {
    *("pyproject.toml", "README.md", "LICENSE", "requirements.lock", "requirements-dev.lock"),
    *("ledger", "projections", "api", "scripts", "tests"),
}
LEFT_BEHIND = {"build", "dist", "__pycache__"}  # by builds and runs; never part of the repository

# Who may import whom, our own packages only.
ARROWS: dict[str, set[str]] = {
    "ledger": set(),
    "projections": {"ledger"},
    "api": {"ledger", "projections"},
    "scripts": {"ledger", "projections", "api", "scripts"},
    "tests": {"ledger", "projections", "api", "scripts", "tests"},
}

# The functional core: time, identity and chance are arguments, and nothing is written or asked.
PURE = ("job", "events", "commands", "decide", "made", "words", "merkle")
IMPURE_IMPORTS = {
    *(
        "asyncio",
        "eventsourcing",
        "io",
        "logging",
        "os",
        "pathlib",
        "psycopg",
        "psycopg_pool",
        "random",
    ),
    *("secrets", "socket", "structlog", "subprocess", "sys", "threading", "time"),
}
IMPURE_CALLS = {
    "now",
    "utcnow",
    "today",
    "uuid1",
    "uuid4",
    "uuid6",
    "uuid7",
    "open",
    "print",
    "getenv",
}

# Who speaks to the event-sourcing library; everybody else speaks to these.
EVENTSOURCING = {
    *("ledger/codec.py", "ledger/recorder.py"),
    *("projections/position.py", "projections/tracking.py"),
    *("tests/ledger/test_codec.py", "tests/ledger/test_recorder.py"),
    *("scripts/benchmarks/stock.py", "tests/projections/test_build.py"),
    "tests/projections/test_tracking.py",
}

# Distributions whose import has another name.
PROVIDED_BY = {
    "jwt": "PyJWT",
    "pydantic_core": "pydantic",
    "psycopg_pool": "psycopg",
    **dict.fromkeys(("uvloop", "httptools"), "uvicorn"),
    "libcloud": "apache-libcloud",
    "openlineage": "openlineage-python",
}

BANNED_WORDS = {
    *("manager", "helper", "helpers", "util", "utils", "common", "base", "core", "misc"),
    *("service", "handler", "data", "info"),
}
FUNCTION_LINES_MAX = 50
MODULE_LINES_MAX = 300

# Spelt in two parts, so that this file does not contain them.
UNSPEAKABLE = tuple(
    "".join(parts)
    for parts in (
        ("pypi", ".org"),
        ("python", "hosted"),
        ("npmjs", ".org"),
        ("proxy.golang", ".org"),
        ("deb.", "debian.org"),
        ("crates", ".io"),
        ("/wo", "rk/"),
        ("/tmp", "/w/"),
        ("/ro", "ot/"),
        ("/opt", "/pypi"),
        ("../sha", "red"),
    )
)


@cache
def files() -> tuple[Path, ...]:
    """Every file of the repository, by its path from the top; dot folders but .ci are tools' own."""
    found = []
    for folder, folders, names in os.walk(CHECKOUT):
        folders[:] = [n for n in folders if n not in LEFT_BEHIND and (n[0] != "." or n == ".ci")]
        found += [Path(folder, name).relative_to(CHECKOUT) for name in names]
    return tuple(sorted(found))


@cache
def modules() -> tuple[Path, ...]:
    """Every Python file of the repository."""
    return tuple(path for path in files() if path.suffix == ".py")


@cache
def syntax(module: Path) -> ast.Module:
    """What a module says, as a tree."""
    return ast.parse(text(module), filename=str(module))


def imports(module: Path) -> Iterator[str]:
    """The full names that a module imports, also inside functions."""
    for node in ast.walk(syntax(module)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}:{node.lineno}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def text(path: Path) -> str:
    return (CHECKOUT / path).read_text(encoding="utf-8", errors="replace")


def named(name: str) -> set[str]:
    """The words of a name in snake_case or CamelCase."""
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])", name)}


def test_there_is_something_to_check() -> None:
    packages = {module.parts[0] for module in modules()}
    assert packages >= {"ledger", "projections", "api", "tests"}
    assert {
        Path("ledger", f"{name}.py") for name in ("job", "events", "commands", "decide")
    } <= set(modules())
    assert any(path.suffix == ".sql" for path in files())


def test_the_top_level_is_fixed() -> None:
    found = {path.name for path in CHECKOUT.iterdir() if not path.name.startswith(".")}
    assert found - LEFT_BEHIND <= TOP_LEVEL


def test_arrows() -> None:
    wrong = []
    for module in modules():
        allowed = ARROWS[module.parts[0]] | {module.parts[0]}
        ours = [name for name in imports(module) if name.split(".")[0] in ARROWS]
        wrong += [f"{module}: {name}" for name in ours if name.split(".")[0] not in allowed]
    assert not wrong


def test_the_core_is_pure() -> None:
    friends = {f"ledger.{name}" for name in (*PURE, "errors", "settings")}
    wrong = []
    for module in (
        path for path in modules() if path.parent == Path("ledger") and path.stem in PURE
    ):
        for name in imports(module):
            stranger = name.startswith("ledger.") and ".".join(name.split(".")[:2]) not in friends
            if stranger or name.split(".")[0] in IMPURE_IMPORTS:
                wrong.append(f"{module}: {name}")
        for node in ast.walk(syntax(module)):
            if isinstance(node, ast.Call):
                called = node.func
                word = (
                    called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
                )
                wrong += [f"{module}:{node.lineno}: {word}()"] if word in IMPURE_CALLS else []
    assert not wrong


def test_few_modules_import_the_event_sourcing_library() -> None:
    users = {
        str(module)
        for module in modules()
        if any(name.split(".")[0] == "eventsourcing" for name in imports(module))
    }
    assert users <= EVENTSOURCING


def test_what_is_imported_is_declared() -> None:
    declared = tomllib.loads(text(Path("pyproject.toml")))
    runtime, dev = declared["project"]["dependencies"], declared["dependency-groups"]["dev"]
    wrong = []
    for module in modules():
        entries = [*runtime, *dev] if module.parts[0] in ("scripts", "tests") else runtime
        known = {re.split(r"[^\w-]", entry)[0].replace("-", "_") for entry in entries}
        roots = (
            {name.split(".")[0] for name in imports(module)} - set(ARROWS) - sys.stdlib_module_names
        )
        if module.parts[1] == "peers":  # pinned by PEERS, in environments of their own
            known |= {"procrastinate", "pgqueuer", "dbos", "umadb"}
        names = {PROVIDED_BY.get(root, root).replace("-", "_") for root in roots}
        wrong += [f"{module}: {name}" for name in sorted(names - known)]
    assert not wrong


def test_names_say_what_a_thing_is() -> None:
    wrong = []
    for module in modules():
        classes = [node.name for node in ast.walk(syntax(module)) if isinstance(node, ast.ClassDef)]
        names = (*module.with_suffix("").parts, *classes)
        wrong += [f"{module}: {name}" for name in names if named(name) & BANNED_WORDS]
    assert not wrong


def test_functions_and_modules_are_short() -> None:
    too_long = []
    for module in modules():
        length = len(text(module).splitlines())
        too_long += [f"{module}: {length} lines"] if length > MODULE_LINES_MAX else []
        for node in ast.walk(syntax(module)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > FUNCTION_LINES_MAX:
                    too_long.append(f"{module}:{node.lineno} {node.name}: {length} lines")
    assert not too_long


def test_a_module_opens_with_its_contract() -> None:
    assert not [str(module) for module in modules() if not ast.get_docstring(syntax(module))]


def test_sql_is_named_and_says_what_it_is_for() -> None:
    wrong = []
    for path in (
        path for path in files() if path.suffix == ".sql" and path.parent.name != "migrations"
    ):
        lines = text(path).splitlines()
        names = [index for index, line in enumerate(lines) if line.startswith("-- name:")]
        nameless = [line for line in lines[: names[0] if names else None] if line.strip()]
        wrong += [f"{path}: SQL without a name: {line}" for line in nameless if line[:2] != "--"]
        for index in names:
            if not re.fullmatch(r"-- name: [a-z][a-z0-9_]*", lines[index]):
                wrong.append(f"{path}: {lines[index]}: not `-- name: word`")
            if not re.match(r"-- \S", "".join(lines[index + 1 : index + 2])):
                wrong.append(f"{path}: {lines[index]}: lacks its sentence")
        if len({lines[index] for index in names}) != len(names):
            wrong.append(f"{path}: two queries of one name")
    assert not wrong


def test_migrations_are_numbered_without_gaps_and_open_with_their_purpose() -> None:
    migrations = [
        path for path in files() if path.suffix == ".sql" and path.parent.name == "migrations"
    ]
    assert [path.name[:5] for path in migrations] == [
        f"{n:04}_" for n in range(1, len(migrations) + 1)
    ]
    assert not [str(path) for path in migrations if not text(path).startswith("-- ")]


def test_nothing_names_a_registry_or_a_machine() -> None:
    found = []
    for path in files():
        found += [f"{path}: {word}" for word in UNSPEAKABLE if word in text(path)]
    assert not found


def test_locks_hold_names_versions_and_hashes_only() -> None:
    for lock in (path for path in files() if path.suffix == ".lock"):
        for line in text(lock).splitlines():
            pinned = re.fullmatch(r"[a-z0-9-]+==[\w.+]+( ; [\w.<>=!'() ]+)? \\", line)
            assert pinned or re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}( \\)?", line), line


def test_each_dependency_says_why() -> None:
    lines = [line.strip() for line in text(Path("pyproject.toml")).splitlines()]
    for table in ("dependencies = [", "dev = ["):
        start = lines.index(table) + 1
        entries = lines[start : lines.index("]", start)]
        assert entries
        for above, line in zip(["", *entries], entries, strict=False):
            assert line.startswith("#") or above.startswith("#"), f"{line} lacks its reason"


def test_tests_are_no_packages() -> None:
    """A `tests/ledger/__init__.py` would shadow the package `ledger`."""
    assert not [
        path for path in modules() if path.parts[0] == "tests" and path.name == "__init__.py"
    ]

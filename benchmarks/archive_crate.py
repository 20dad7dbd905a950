"""Hold an archive of a campaign against the public RO-Crate validator, without the network.

Run, with an archive that `filmloop export` made:

    python3.11 -m venv crate && crate/bin/pip install -r benchmarks/archive_crate.txt
    crate/bin/python -m benchmarks.archive_crate ARCHIVE.zip

Needs nothing of Filmloop. Exits with 1 if a requirement of RO-Crate 1.1 is broken; what it only recommends is listed.
"""

import argparse
import io
import sys
import tempfile
from collections import Counter
from importlib.metadata import distribution, version
from pathlib import Path

import requests
from requests_cache import CachedSession
from rocrate_validator import services
from rocrate_validator.models import Severity, ValidationSettings
from urllib3.response import HTTPResponse

CONTEXT = "https://w3id.org/ro/crate/1.1/context"


def keep_context(cache: Path) -> None:
    """Put the JSON-LD context into the validator's cache, as if it had been fetched."""
    body = Path(str(distribution("rocrate").locate_file("rocrate/data/ro-crate.jsonld"))).read_bytes()
    answer = requests.Response()
    answer.status_code, answer.url = 200, CONTEXT
    answer.headers["Content-Type"] = "application/ld+json"
    answer.raw = HTTPResponse(io.BytesIO(body), headers=answer.headers, status=200, preload_content=False)
    accepted = {"Accept": "application/ld+json, application/json"}
    answer.request = requests.Request("GET", CONTEXT, headers=accepted).prepare()
    with CachedSession(str(cache), backend="sqlite") as session:
        session.cache.save_response(answer)


def main() -> int:
    """Print what the validator found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("archive", type=Path)
    archive = parser.parse_args().archive
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder) / "cache"
        keep_context(cache)
        settings = ValidationSettings(
            rocrate_uri=str(archive),
            profile_identifier="ro-crate-1.1",
            requirement_severity=Severity.RECOMMENDED,
            cache_path=str(cache),
            offline=True,
        )
        found = services.validate(settings)
    issues = found.get_issues(Severity.OPTIONAL)
    for issue in issues:
        print(f"{issue.severity.name.lower()}: {issue.check.identifier}: {issue.message}")
    checks = Counter(check.severity.name.lower() for check in found.executed_checks)
    broken = sum(issue.severity >= Severity.REQUIRED for issue in issues)
    print(
        f"roc-validator {version('roc-validator')}, RO-Crate 1.1: checks {dict(checks)}, {broken} requirements broken"
    )
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())

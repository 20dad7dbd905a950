"""The RO-Crate metadata of an archive: what each file is, so that others find and understand it without Filmloop.

Source: RO-Crate Metadata Specification 1.1, https://w3id.org/ro/crate/1.1.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from models.problem import Problem

NAME = "ro-crate-metadata.json"
_SPECIFICATION = "https://w3id.org/ro/crate/1.1"


@dataclass(frozen=True)
class Entry:
    """A file of the archive."""

    path: str
    title: str
    media_type: str
    size: int
    """Bytes."""
    sha256: str


def metadata(
    campaign: Mapping[str, Any], problem: Problem, snapshot_hash: str, entries: Sequence[Entry], at: datetime
) -> dict[str, Any]:
    """The whole document.

    Args:
        campaign: `id`, `name`, `revision`.
        problem: In force.
        snapshot_hash: Of the dataset at that revision.
        entries: Every other file.
        at: When the archive was written.
    """
    sought = ", ".join(f"{p.property} in {p.unit}" for p in problem.properties)
    of = ", ".join(problem.space.elements)
    described = (
        f"Campaign {campaign['id']} of Filmloop: combinatorial thin films of {of}, read for {sought}. "
        f"Revision {campaign['revision']} of its dataset, SHA-256 {snapshot_hash}."
    )
    quantities = [
        {
            "@id": f"#property-{k}",
            "@type": "PropertyValue",
            "name": p.property,
            "unitText": p.unit,
        }
        for k, p in enumerate(problem.properties)
    ]
    measured = [{"@id": quantity["@id"]} for quantity in quantities]
    root: dict[str, Any] = {
        "@id": "./",
        "@type": "Dataset",
        "name": campaign["name"],
        "description": described,
        "identifier": campaign["id"],
        "version": str(campaign["revision"]),
        "datePublished": at.isoformat(timespec="seconds"),
        "license": {"@id": "#licence"},
        "keywords": ["combinatorial thin films", "autonomous experimentation", *problem.space.elements],
        "variableMeasured": measured[0] if len(measured) == 1 else measured,
        "hasPart": [{"@id": entry.path} for entry in entries],
    }
    files = [
        {
            "@id": entry.path,
            "@type": "File",
            "name": entry.title,
            "description": f"{entry.title}; SHA-256 {entry.sha256}",
            "encodingFormat": entry.media_type,
            "contentSize": str(entry.size),
        }
        for entry in entries
    ]
    descriptor = {
        "@id": NAME,
        "@type": "CreativeWork",
        "about": {"@id": "./"},
        "conformsTo": {"@id": _SPECIFICATION},
    }
    licence = {
        "@id": "#licence",
        "@type": "CreativeWork",
        "name": "No licence was stated",
        "description": "The data belong to whoever measured them; ask before you use them.",
    }
    return {
        "@context": f"{_SPECIFICATION}/context",
        "@graph": [descriptor, root, licence, *quantities, *files],
    }

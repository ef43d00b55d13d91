"""Artifacts by their Maven coordinates, through jgo: its repositories, its configuration file, the machine's proxies."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from services.kernel.errors import BadSettings, Transient
from services.platform.artifacts import Artifact, measure

TIMEOUT_S = 60

ROOTS = (
    ("kafka", "org.apache.kafka", "kafka_2.13", "4.3.1", "", "jar"),
    # Kafka's own distribution adds the bridge from slf4j to log4j; without it the broker runs and says nothing.
    ("kafka", "org.apache.logging.log4j", "log4j-slf4j-impl", "2.25.4", "", "jar"),
    ("registry", "io.apicurio", "apicurio-registry-app", "3.3.3", "all", "tar.gz"),
)
"""What the lock is made from: part, group, artifact, version, classifier, packaging. Jars bring their dependencies."""


def fetch(artifact: Artifact, staging: Path) -> Path:
    """Brings one artifact into the staging directory. ``Transient`` when no repository gives it. Blocks."""
    try:
        found = (
            _context(staging)
            .project(artifact.group, artifact.artifact)
            .at_version(artifact.version)
            .artifact(classifier=artifact.classifier, packaging=artifact.packaging)
            .resolve()
        )
    except (OSError, RuntimeError) as error:  # every failure of the HTTP client under jgo is an OSError
        raise Transient(
            f"{artifact.coordinates} could not be fetched ({type(error).__name__}); the first start needs a Maven "
            "repository: check the network, the proxy settings, or name a mirror in jgo's configuration"
        ) from error
    if found is None:
        raise Transient(f"{artifact.coordinates} is in no repository that jgo knows")
    return Path(found)


def make_lock(staging: Path) -> tuple[Artifact, ...]:
    """Resolves the roots with their dependencies, fetches every file and measures it. Blocks for a minute or so."""
    context = _context(staging)
    jars = [root for root in ROOTS if root[5] == "jar"]
    archives = [root for root in ROOTS if root[5] != "jar"]
    rows = [_row("kafka", dependency.artifact) for dependency in _resolve(context, jars)]
    rows += [
        _row(
            part, context.project(group, name).at_version(version).artifact(classifier=classifier, packaging=packaging)
        )
        for part, group, name, version, classifier, packaging in archives
    ]
    return tuple(sorted(rows, key=lambda row: (row.part, row.file)))


def _resolve(context: Any, roots: Iterable[tuple[str, ...]]) -> list[Any]:
    from jgo.maven import Dependency

    wanted = [
        Dependency(context.project(group, name).at_version(version).artifact(), raw=True)
        for _part, group, name, version, _classifier, _packaging in roots
    ]
    inputs, transitive = context.resolver.resolve(wanted)
    return [*inputs, *transitive]


def _row(part: str, artifact: Any) -> Artifact:
    size, sha256 = measure(Path(artifact.resolve()))
    return Artifact(
        part=part,
        group=artifact.groupId,
        artifact=artifact.artifactId,
        version=artifact.version,
        classifier=artifact.classifier,
        packaging=artifact.packaging,
        file=artifact.filename,
        size=size,
        sha256=sha256,
    )


def _context(cache: Path) -> Any:
    try:
        from jgo.config import GlobalSettings
        from jgo.maven import MavenContext
    except ImportError as error:
        raise BadSettings("the local platform needs the extra packages: pip install 'ipx[local]'") from error
    repositories = GlobalSettings.load().repositories
    return MavenContext(repo_cache=cache, remote_repos=repositories or None, timeout=TIMEOUT_S)

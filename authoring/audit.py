"""`make audit-dependencies`: asks for known vulnerabilities of every package that the lock files pin.

pip-audit asks OSV. What was not asked is never reported as clean: an advisory service that cannot be reached is an
error of its own.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

OSV = "https://api.osv.dev/v1/query"
CLEAN, VULNERABLE, UNKNOWN = 0, 1, 2


def audit(requirements: Path, service: str = OSV) -> int:
    """Audit the packages of a file in pip's format and print what is known; returns CLEAN = "https://api.osv.dev/v1/query"
    CLEAN, VULNERABLE or UNKNOWN.

        `service` is the URL of OSV's query, or of a mirror.
    """
    command = [sys.executable, "-m", "pip_audit", "--strict", "--disable-pip", "--no-deps", "--format=json"]
    options = ["--vulnerability-service=osv", "--progress-spinner=off", f"--osv-url={service}"]
    done = subprocess.run(
        [*command, *options, f"--requirement={requirements}"], capture_output=True, text=True, check=False
    )
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        print(f"{requirements.stem}: the advisory service was not reached, so nothing is known. {reason}")
        return UNKNOWN
    asked = [package for package in packages if "skip_reason" not in package]
    for package in packages:
        for found in package.get("vulns", []):
            fixed = ", ".join(found["fix_versions"]) or "no version"
            print(f"{requirements.stem}: {package['name']} {package['version']}: {found['id']}, fixed in {fixed}")
    if len(asked) < len(packages):
        print(f"{requirements.stem}: {len(packages) - len(asked)} packages could not be audited, so nothing is known.")
        return UNKNOWN
    vulnerable = sum(bool(package["vulns"]) for package in asked)
    print(f"{requirements.stem}: {len(asked)} packages asked for, {vulnerable} with known vulnerabilities")
    return VULNERABLE if vulnerable else CLEAN


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path, help="lists of packages in pip's format")
    parser.add_argument("--service", default=OSV, help="URL of OSV's query, or of a mirror")
    chosen = parser.parse_args()
    sys.exit(max(audit(file, chosen.service) for file in chosen.files))

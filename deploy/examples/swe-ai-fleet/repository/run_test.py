#!/usr/bin/env python3
"""E2E test runner, as the team's document has it; dependencies are in the image, so nothing is installed here."""

import os
import subprocess
import sys
from pathlib import Path


def main():
    workspace = Path("/workspace")
    if not (workspace / "tests").exists():
        print("Workspace not found at /workspace: did the init container clone the repository?")
        sys.exit(1)
    os.chdir(workspace)

    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    print(f"Repository at commit: {commit.stdout.strip() or 'unknown'}")
    print(f"  VLLM_URL: {os.getenv('VLLM_URL')}")
    print(f"  ORCHESTRATOR_HOST: {os.getenv('ORCHESTRATOR_HOST')}")
    print(flush=True)

    result = subprocess.run(["python3", "-m", "pytest", "tests/e2e", "-v", "-s", "--tb=short"], cwd=workspace)
    print("Test PASSED!" if result.returncode == 0 else f"Test FAILED with exit code {result.returncode}")
    sys.exit(result.returncode)


if __name__ == "__main__":
    main()

#!/bin/sh
# A git repository with a branch per outcome, served read-only.
set -eu
export GIT_AUTHOR_NAME=example GIT_AUTHOR_EMAIL=example@example.org HOME=/served
export GIT_COMMITTER_NAME=$GIT_AUTHOR_NAME GIT_COMMITTER_EMAIL=$GIT_AUTHOR_EMAIL

git init --quiet --initial-branch main /served/work
cd /served/work

commit() { # branch, test files…
    git checkout --quiet -B "$1" main 2>/dev/null || git checkout --quiet -B "$1"
    shift
    mkdir -p tests/e2e
    for file in "$@"; do cp "/repository/$file" tests/e2e/; done
    git add tests
    git commit --quiet --message "The tests of this branch"
}

commit main test_vllm.py
git branch --quiet hexagonal-refactor-v2
commit one-red test_one_red.py
commit memory test_memory.py

git clone --quiet --bare /served/work /served/swe-ai-fleet.git
exec git daemon --export-all --base-path=/served --reuseaddr /served/swe-ai-fleet.git

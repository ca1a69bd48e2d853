"""Tests of the model server: by cluster DNS, with the key that was injected."""

import json
import os
import urllib.error
import urllib.request

import pytest


def complete(key):
    request = urllib.request.Request(
        os.environ["VLLM_URL"] + "/v1/completions",
        data=json.dumps({"prompt": "2 + 2 ="}).encode(),
        headers={"Authorization": f"Bearer {key}"},
    )
    with urllib.request.urlopen(request, timeout=10) as response:
        return json.load(response)


def test_a_completion_is_answered():
    assert complete(os.environ["VLLM_API_KEY"])["choices"][0]["text"] == "4"


def test_a_wrong_key_is_refused():
    with pytest.raises(urllib.error.HTTPError) as refusal:
        complete("not-the-key")
    assert refusal.value.code == 401


@pytest.mark.parametrize("name", ["VLLM_URL", "ORCHESTRATOR_HOST", "CONTEXT_HOST"])
def test_services_are_named_by_cluster_dns(name):
    assert ".svc.cluster.local" in os.environ[name]

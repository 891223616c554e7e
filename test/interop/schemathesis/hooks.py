"""What Schemathesis has to know of SPIKE: whose certificate a request carries, and names that belong together.

SPIKE_TEST_CERTIFICATES is a folder with a PEM file (certificates and key) for each role. SPIKE_TEST_CALLER is the role
that asks, where the guard of the operation does not name another; as `stranger` it is the one whom nothing is allowed.
"""

import os
import re

import schemathesis
from requests.adapters import HTTPAdapter

FOLDER = os.environ["SPIKE_TEST_CERTIFICATES"]
CALLER = os.environ["SPIKE_TEST_CALLER"]
PATHS = ("tenants/acme/db", "tenants/acme/tls", "tenants/b/db", "x")
NAMES = ("first", "second policy")
NAME = re.compile(r"[A-Za-z0-9 _-]{1,250}\Z")
PATH = re.compile(r"[A-Za-z0-9()?+*|{}\[\]_-]{1,100}\Z")
SPIFFE_PATTERN = r"^spiffe://spike\.ist/workload/app$"
# What the document says of both patterns: only what is good by it may become another good one.
SPIFFE_RULE = re.compile(r"\^?spiffe://[\\a-zA-Z0-9.\-*()+?\[\]]+(?:/[\\/a-zA-Z0-9._\-*()+?\[\]]+)?\$?\Z")
PATH_RULE = re.compile(r"[a-zA-Z0-9._\-/^$()?+*|\[\]{}\\]{1,500}\Z")

_init_poolmanager = HTTPAdapter.init_poolmanager


def _without_host_name(self, *args, **kwargs):
    # A server shows a SPIFFE ID and no host name; its chain is verified all the same.
    return _init_poolmanager(self, *args, assert_hostname=False, **kwargs)


HTTPAdapter.init_poolmanager = _without_host_name


def guard_of(case):
    return case.operation.definition.raw["x-spike"]["guard"]


@schemathesis.hook
def before_call(ctx, case, kwargs):
    role = CALLER
    guard = guard_of(case)
    if CALLER != "stranger" and guard["kind"] == "role" and CALLER not in guard["anyOf"]:
        role = guard["anyOf"][0]
    kwargs["cert"] = os.path.join(FOLDER, f"{role}.pem")


@schemathesis.hook
def map_body(ctx, body):
    """Made up names never meet: every second good one becomes one of a few, and good patterns are patterns."""
    if not isinstance(body, dict):
        return body
    replaced = dict(body)
    path = body.get("path")
    if isinstance(path, str) and PATH.match(path) and len(path) % 2:
        replaced["path"] = PATHS[sum(path.encode()) % len(PATHS)]
    for field in ("name", "id"):
        name = body.get(field)
        if isinstance(name, str) and NAME.match(name):
            replaced[field] = NAMES[len(name) % len(NAMES)]
    spiffe = body.get("spiffeidPattern")
    if isinstance(spiffe, str) and len(spiffe) <= 4096 and SPIFFE_RULE.match(spiffe) and "name" in body:
        replaced["spiffeidPattern"] = SPIFFE_PATTERN
    path_pattern = body.get("pathPattern")
    if isinstance(path_pattern, str) and PATH_RULE.match(path_pattern) and "name" in body:
        replaced["pathPattern"] = "^tenants/acme/.*$"
    return replaced


@schemathesis.check
def stranger_is_refused(ctx, response, case):
    """Whom nothing is allowed gets nothing, and learns nothing of what is there."""
    if CALLER != "stranger":
        return
    # A path that is none is 400 to everybody, since nothing is known yet that could be allowed.
    judged_by_path = "on" in guard_of(case)
    assert response.status_code in (400, 401), f"a stranger got {response.status_code}"
    good = case.meta is not None and case.meta.generation.mode.is_positive
    if good and case.method.upper() == "POST" and not judged_by_path:
        assert response.status_code == 401, f"a stranger got {response.status_code}"

"""py-spiffe as a client of our Workload API. What it has to say is one JSON object a line."""

import json
import sys
import threading
import time

from spiffe import JwtSvid, WorkloadApiClient, X509Source


def say(**fields: object) -> None:
    print(json.dumps(fields), flush=True)


def fetch(client: WorkloadApiClient) -> None:
    context = client.fetch_x509_context()
    bundles = client.fetch_x509_bundles()
    with X509Source(timeout_in_seconds=20) as source:
        default = source.svid
    say(
        ids=[str(svid.spiffe_id) for svid in context.x509_svids],
        default=str(default.spiffe_id),
        bundles={str(one.trust_domain.name): len(one.x509_authorities) for one in bundles.bundles},
    )


def jwt(client: WorkloadApiClient, audience: str) -> None:
    """Says the token that this process gets, verified with the bundles, and what the Workload API says of it."""
    svid = client.fetch_jwt_svid(audience={audience})
    bundle = client.fetch_jwt_bundles().get_bundle_for_trust_domain(svid.spiffe_id.trust_domain)
    verified = JwtSvid.parse_and_validate(svid.token, bundle, {audience})
    try:
        client.validate_jwt_svid(svid.token, audience + "-other")
        other = "answered"
    except Exception as error:
        other = str(error)
    say(
        id=str(verified.spiffe_id),
        token=svid.token,
        validated=str(client.validate_jwt_svid(svid.token, audience).spiffe_id),
        keys=len(bundle.jwt_authorities),
        other=other,
    )


def watch(client: WorkloadApiClient) -> None:
    """Says each answer and each refusal, and asks again after one; of itself the client would tell nobody of them."""
    ended = threading.Event()

    def refused(error: Exception) -> None:
        say(error=str(error))
        ended.set()

    def ask() -> None:
        while True:
            client.stream_x509_contexts(
                lambda context: say(
                    ids=[str(svid.spiffe_id) for svid in context.x509_svids],
                    serial=str(context.default_svid.leaf.serial_number),
                ),
                refused,
                retry_connect=False,
            )
            ended.wait()
            ended.clear()
            time.sleep(0.1)

    threading.Thread(target=ask, daemon=True).start()
    sys.stdin.read()


def main() -> None:
    # The address comes from SPIFFE_ENDPOINT_SOCKET.
    with WorkloadApiClient() as client:
        try:
            {"fetch": fetch, "jwt": jwt, "watch": watch}[sys.argv[1]](client, *sys.argv[2:])
        except Exception as error:
            say(error=str(error))
            sys.exit(1)


main()

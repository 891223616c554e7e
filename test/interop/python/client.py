"""py-spiffe as a client of our Workload API: prints what it got as one JSON line."""

import json
import sys

from spiffe import WorkloadApiClient, X509Source


def main() -> None:
    socket = sys.argv[1]
    with WorkloadApiClient(socket) as client:
        context = client.fetch_x509_context()
        bundles = client.fetch_x509_bundles()
        try:
            client.fetch_jwt_bundles()
            jwt = "answered"
        except Exception as error:  # the library wraps the status in an error of its own
            jwt = str(error)
    with X509Source(socket_path=socket, timeout_in_seconds=20) as source:
        default = source.svid
    print(
        json.dumps(
            {
                "ids": [str(svid.spiffe_id) for svid in context.x509_svids],
                "default": str(default.spiffe_id),
                "bundles": sorted(str(domain) for domain in bundles.bundles),
                "jwt": jwt,
            }
        )
    )


main()

// The reference implementation as a counterpart: go-spiffe as a client of our Workload API, and as both ends of mTLS.
// Everything that it has to say is one JSON object a line on its standard output. It ends with its standard input.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/spiffetls/tlsconfig"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
	"github.com/spiffe/go-spiffe/v2/workloadapi"
	"google.golang.org/grpc/status"
)

func main() {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	if err := run(ctx, os.Args[1:]); err != nil {
		say(map[string]any{"error": err.Error(), "code": status.Code(err).String()})
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	// The address of the Workload API comes from SPIFFE_ENDPOINT_SOCKET, as it does for any workload.
	switch {
	case len(args) == 1 && args[0] == "fetch":
		return fetch(ctx)
	case len(args) == 2 && args[0] == "jwt":
		return jwt(ctx, args[1])
	case len(args) == 2 && args[0] == "mint":
		return mint(args[1])
	case len(args) == 3 && args[0] == "verify":
		return verify(ctx, args[1], args[2])
	case len(args) == 4 && args[0] == "fetch-bundle":
		return fetchBundle(ctx, args[1], args[2], args[3])
	case len(args) == 1 && args[0] == "serve-bundle":
		return serveBundle(ctx)
	case len(args) == 1 && args[0] == "watch":
		return watch(ctx)
	case len(args) == 4 && args[0] == "post":
		return post(ctx, args[1], args[2], args[3])
	case len(args) == 2 && args[0] == "serve":
		return serve(ctx, args[1])
	}
	return errors.New("usage: interop fetch | jwt AUDIENCE | mint ALGORITHM | verify TOKEN AUDIENCE | watch | post URL SERVER-ID BODY | serve CLIENT-ID | fetch-bundle TRUST-DOMAIN URL SERVER-ID | serve-bundle")
}

var speaking sync.Mutex

func say(value any) {
	speaking.Lock()
	defer speaking.Unlock()
	_ = json.NewEncoder(os.Stdout).Encode(value)
}

// fetch says what the Workload API has for this process, after go-spiffe verified each SVID against the bundles.
func fetch(ctx context.Context) error {
	client, err := workloadapi.New(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	all, err := client.FetchX509Context(ctx)
	if err != nil {
		return err
	}
	ids := []string{}
	for _, svid := range all.SVIDs {
		id, _, err := x509svid.Verify(svid.Certificates, all.Bundles)
		if err != nil {
			return err
		}
		ids = append(ids, id.String())
	}
	alone, err := client.FetchX509Bundles(ctx)
	if err != nil {
		return err
	}
	bundles := map[string]int{}
	same := alone.Len() == all.Bundles.Len()
	for _, bundle := range all.Bundles.Bundles() {
		bundles[bundle.TrustDomain().Name()] = len(bundle.X509Authorities())
		other, found := alone.Get(bundle.TrustDomain())
		same = same && found && bundle.Equal(other)
	}
	leaf := all.SVIDs[0].Certificates[0]
	say(map[string]any{
		"ids": ids, "bundles": bundles, "bundlesAlone": same, "serial": leaf.SerialNumber.String(),
		"lifeSeconds": int(leaf.NotAfter.Sub(leaf.NotBefore).Seconds()),
	})
	return nil
}

type watcher struct{}

func (watcher) OnX509ContextUpdate(all *workloadapi.X509Context) {
	ids := []string{}
	for _, svid := range all.SVIDs {
		ids = append(ids, svid.ID.String())
	}
	say(map[string]any{"ids": ids, "serial": all.SVIDs[0].Certificates[0].SerialNumber.String()})
}

func (watcher) OnX509ContextWatchError(err error) {
	say(map[string]any{"error": err.Error(), "code": status.Code(err).String()})
}

// watch says each update and each error of one watch, for as long as it is left to run.
func watch(ctx context.Context) error {
	if err := workloadapi.WatchX509Context(ctx, watcher{}); ctx.Err() == nil {
		return err
	}
	return nil
}

// post sends one request to a server that must have the given ID and says what was answered.
func post(ctx context.Context, url string, id string, body string) error {
	source, err := workloadapi.NewX509Source(ctx)
	if err != nil {
		return err
	}
	defer source.Close()
	server, err := spiffeid.FromString(id)
	if err != nil {
		return err
	}
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig: tlsconfig.MTLSClientConfig(source, source, tlsconfig.AuthorizeID(server)),
	}}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	say(map[string]any{
		"status": response.StatusCode, "body": string(answer), "http": response.Proto,
		"group": fmt.Sprint(response.TLS.CurveID), "resumed": response.TLS.DidResume,
	})
	return nil
}

// The reference implementation as a counterpart: go-spiffe as a client of our Workload API, and as both ends of mTLS.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/spiffetls/tlsconfig"
	"github.com/spiffe/go-spiffe/v2/workloadapi"
)

const deadline = 30 * time.Second

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) < 2 {
		return errors.New("usage: interop fetch|watch|get|serve SOCKET [URL|SPIFFE-ID] …")
	}
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	address := workloadapi.WithAddr(args[1])
	switch args[0] {
	case "fetch":
		return fetch(ctx, address)
	case "watch":
		return watch(ctx, address)
	case "get":
		return get(ctx, address, args[2], args[3], args[4:])
	case "serve":
		return serve(ctx, address, args[2])
	}
	return fmt.Errorf("unknown: %s", args[0])
}

func print(value any) error {
	return json.NewEncoder(os.Stdout).Encode(value)
}

// fetch prints what the Workload API has for this process: IDs, hints, lives and bundles.
func fetch(ctx context.Context, address workloadapi.ClientOption) error {
	client, err := workloadapi.New(ctx, address)
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
		ids = append(ids, svid.ID.String())
	}
	bundles := map[string]int{}
	for _, bundle := range all.Bundles.Bundles() {
		bundles[bundle.TrustDomain().Name()] = len(bundle.X509Authorities())
	}
	set, err := client.FetchX509Bundles(ctx)
	if err != nil {
		return err
	}
	_, jwtErr := client.FetchJWTBundles(ctx)
	return print(map[string]any{
		"ids": ids, "bundles": bundles, "bundlesAlone": set.Len(), "jwt": fmt.Sprint(jwtErr),
		"lifeSeconds": int(all.SVIDs[0].Certificates[0].NotAfter.Sub(all.SVIDs[0].Certificates[0].NotBefore).Seconds()),
	})
}

type watcher struct {
	updates chan string
}

func (w *watcher) OnX509ContextUpdate(all *workloadapi.X509Context) {
	w.updates <- all.SVIDs[0].Certificates[0].SerialNumber.String()
}

func (w *watcher) OnX509ContextWatchError(err error) {
	w.updates <- "error: " + err.Error()
}

// watch prints one line for each update until three different serial numbers were seen.
func watch(ctx context.Context, address workloadapi.ClientOption) error {
	w := &watcher{updates: make(chan string, 16)}
	go func() { _ = workloadapi.WatchX509Context(ctx, w, address) }()
	seen := map[string]bool{}
	for len(seen) < 3 {
		select {
		case update := <-w.updates:
			if strings.HasPrefix(update, "error: ") {
				return errors.New(update)
			}
			seen[update] = true
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return print(map[string]any{"serials": len(seen)})
}

// get sends one POST over mTLS to a server that must have the given ID and prints status and body.
func get(ctx context.Context, address workloadapi.ClientOption, url string, id string, rest []string) error {
	source, err := workloadapi.NewX509Source(ctx, workloadapi.WithClientOptions(address))
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
	body := "{}"
	if len(rest) > 0 {
		body = rest[0]
	}
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
	return print(map[string]any{"status": response.StatusCode, "body": string(answer), "proto": response.Proto})
}

// serve answers every request over mTLS from a client with the given ID; it prints its address first and ends with its input.
func serve(ctx context.Context, address workloadapi.ClientOption, id string) error {
	source, err := workloadapi.NewX509Source(ctx, workloadapi.WithClientOptions(address))
	if err != nil {
		return err
	}
	defer source.Close()
	client, err := spiffeid.FromString(id)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{
		TLSConfig:         tlsconfig.MTLSServerConfig(source, source, tlsconfig.AuthorizeID(client)),
		ReadHeaderTimeout: deadline,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, `{"you":%q}`, r.TLS.PeerCertificates[0].URIs[0].String())
		}),
	}
	if err := print(map[string]any{"address": listener.Addr().String()}); err != nil {
		return err
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = server.Close()
	}()
	if err := server.ServeTLS(listener, "", ""); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

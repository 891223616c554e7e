package main

import (
	"context"
	"errors"
	"net"
	"net/http"

	"github.com/spiffe/go-spiffe/v2/bundle/spiffebundle"
	"github.com/spiffe/go-spiffe/v2/federation"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/spiffetls/tlsconfig"
	"github.com/spiffe/go-spiffe/v2/workloadapi"
)

// fetchBundle asks a bundle endpoint whose server has the given ID, verified with the bundles of the Workload API.
func fetchBundle(ctx context.Context, name string, url string, id string) error {
	source, err := workloadapi.NewX509Source(ctx)
	if err != nil {
		return err
	}
	defer source.Close()
	trustDomain, err := spiffeid.TrustDomainFromString(name)
	if err != nil {
		return err
	}
	server, err := spiffeid.FromString(id)
	if err != nil {
		return err
	}
	bundle, err := federation.FetchBundle(ctx, trustDomain, url, federation.WithSPIFFEAuth(source, server))
	if err != nil {
		return err
	}
	sequence, _ := bundle.SequenceNumber()
	hint, _ := bundle.RefreshHint()
	say(map[string]any{
		"x509": len(bundle.X509Authorities()), "jwt": len(bundle.JWTAuthorities()),
		"sequence": sequence, "hintSeconds": int(hint.Seconds()),
	})
	return nil
}

// serveBundle serves the bundle of this process's trust domain with its own SVID. It says where first.
func serveBundle(ctx context.Context) error {
	source, err := workloadapi.NewX509Source(ctx)
	if err != nil {
		return err
	}
	defer source.Close()
	client, err := workloadapi.New(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	all, err := client.FetchX509Context(ctx)
	if err != nil {
		return err
	}
	trustDomain := all.SVIDs[0].ID.TrustDomain()
	x509, err := all.Bundles.GetX509BundleForTrustDomain(trustDomain)
	if err != nil {
		return err
	}
	tokens, err := client.FetchJWTBundles(ctx)
	if err != nil {
		return err
	}
	jwt, err := tokens.GetJWTBundleForTrustDomain(trustDomain)
	if err != nil {
		return err
	}
	bundle := spiffebundle.FromX509Bundle(x509)
	bundle.SetJWTAuthorities(jwt.JWTAuthorities())
	bundle.SetSequenceNumber(42)
	handler, err := federation.NewHandler(trustDomain, bundle)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{
		ReadHeaderTimeout: headerDeadline,
		Handler:           handler,
		TLSConfig:         tlsconfig.TLSServerConfig(source),
	}
	say(map[string]any{"url": "https://" + listener.Addr().String(), "id": all.SVIDs[0].ID.String()})
	go func() {
		<-ctx.Done()
		_ = server.Close()
	}()
	if err := server.ServeTLS(listener, "", ""); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

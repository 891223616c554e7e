package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"time"

	"github.com/go-jose/go-jose/v4"
	josejwt "github.com/go-jose/go-jose/v4/jwt"
	"github.com/spiffe/go-spiffe/v2/bundle/jwtbundle"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/svid/jwtsvid"
	"github.com/spiffe/go-spiffe/v2/workloadapi"
	"google.golang.org/grpc/status"
)

// jwt says the tokens that this process gets, after go-spiffe verified each with the bundles, and what the Workload API
// says of the first one, for its own audience and for another.
func jwt(ctx context.Context, audience string) error {
	client, err := workloadapi.New(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	svids, err := client.FetchJWTSVIDs(ctx, jwtsvid.Params{Audience: audience})
	if err != nil {
		return err
	}
	bundles, err := client.FetchJWTBundles(ctx)
	if err != nil {
		return err
	}
	ids := []string{}
	for _, svid := range svids {
		verified, err := jwtsvid.ParseAndValidate(svid.Marshal(), bundles, []string{audience})
		if err != nil {
			return err
		}
		ids = append(ids, verified.ID.String())
	}
	validated, err := client.ValidateJWTSVID(ctx, svids[0].Marshal(), audience)
	if err != nil {
		return err
	}
	_, other := client.ValidateJWTSVID(ctx, svids[0].Marshal(), audience+"-other")
	_, foreign := client.FetchJWTSVID(ctx, jwtsvid.Params{
		Audience: audience,
		Subject:  spiffeid.RequireFromPath(svids[0].ID.TrustDomain(), "/nobody"),
	})
	say(map[string]any{
		"ids": ids, "token": svids[0].Marshal(), "validated": validated.ID.String(),
		"other": status.Code(other).String(), "foreign": status.Code(foreign).String(),
	})
	return nil
}

// verify says whose token this is, by the bundles that this process gets.
func verify(ctx context.Context, token string, audience string) error {
	source, err := workloadapi.NewJWTSource(ctx)
	if err != nil {
		return err
	}
	defer source.Close()
	svid, err := jwtsvid.ParseAndValidate(token, source, []string{audience})
	if err != nil {
		return err
	}
	say(map[string]any{"id": svid.ID.String()})
	return nil
}

// mint says a token of a trust domain of its own, signed by go-jose, and the bundle that verifies it.
func mint(algorithm string) error {
	key, err := newKey(algorithm)
	if err != nil {
		return err
	}
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: jose.SignatureAlgorithm(algorithm), Key: jose.JSONWebKey{Key: key, KeyID: "mint"}},
		(&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return err
	}
	claims := josejwt.Claims{
		Subject: "spiffe://mint.test/workload", Audience: []string{"interop"},
		Expiry: josejwt.NewNumericDate(time.Now().Add(time.Minute)), IssuedAt: josejwt.NewNumericDate(time.Now()),
	}
	token, err := josejwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		return err
	}
	bundle := jwtbundle.New(spiffeid.RequireTrustDomainFromString("mint.test"))
	if err := bundle.AddJWTAuthority("mint", key.Public()); err != nil {
		return err
	}
	document, err := bundle.Marshal()
	if err != nil {
		return err
	}
	say(map[string]any{"token": token, "bundle": string(document)})
	return nil
}

func newKey(algorithm string) (crypto.Signer, error) {
	switch algorithm {
	case "ES256":
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "ES384":
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "ES512":
		return ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case "RS256", "RS384", "RS512", "PS256", "PS384", "PS512":
		return rsa.GenerateKey(rand.Reader, 2048)
	}
	return nil, errors.New("there is no algorithm " + algorithm)
}

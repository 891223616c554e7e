// What the Go SDK of SPIKE makes possible: a client of our Nexus, a Keeper and a Bootstrap. The client takes one call
// from each line of standard input; each line of standard output is an outcome. Where Nexus, the Keepers and the Workload
// API are comes from the variables that the SDK itself reads.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/spiffe/spike-sdk-go/api"
	"github.com/spiffe/spike-sdk-go/api/entity/data"
	sdkErrors "github.com/spiffe/spike-sdk-go/errors"
)

const deadline = 20 * time.Second

type call struct {
	Do          string                  `json:"do"`
	Path        string                  `json:"path"`
	Values      map[string]string       `json:"values"`
	Version     int                     `json:"version"`
	Versions    []int                   `json:"versions"`
	Name        string                  `json:"name"`
	SPIFFEID    string                  `json:"spiffeId"`
	Permissions []data.PolicyPermission `json:"permissions"`
	ID          int                     `json:"id"`
	Shard       *[32]byte               `json:"shard"`
	Nonce       []byte                  `json:"nonce"`
	Plaintext   []byte                  `json:"plaintext"`
	Ciphertext  []byte                  `json:"ciphertext"`
}

func main() {
	part := run
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "keeper":
			part = serveKeeper
		case "bootstrap":
			part = bootstrap
		}
	}
	if err := part(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	spike, sdkErr := api.NewWithContext(ctx)
	if sdkErr != nil {
		return sdkErr
	}
	defer func() { _ = spike.Close() }()
	lines := bufio.NewScanner(os.Stdin)
	out := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		var wanted call
		if err := json.Unmarshal(lines.Bytes(), &wanted); err != nil {
			return err
		}
		answer := map[string]any{}
		result, sdkErr := perform(spike, wanted)
		if sdkErr != nil {
			answer["code"] = sdkErr.Code
		} else {
			answer["result"] = result
		}
		if err := out.Encode(answer); err != nil {
			return err
		}
	}
	return lines.Err()
}

func perform(spike *api.API, wanted call) (any, *sdkErrors.SDKError) {
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	switch wanted.Do {
	case "put":
		return nil, spike.PutSecret(ctx, wanted.Path, wanted.Values)
	case "get":
		return spike.GetSecretVersion(ctx, wanted.Path, wanted.Version)
	case "delete":
		if wanted.Versions == nil {
			return nil, spike.DeleteSecret(ctx, wanted.Path)
		}
		return nil, spike.DeleteSecretVersions(ctx, wanted.Path, wanted.Versions)
	case "list":
		return spike.ListSecretKeys(ctx)
	case "undelete":
		return nil, spike.UndeleteSecret(ctx, wanted.Path, wanted.Versions)
	case "metadata":
		return spike.GetSecretMetadata(ctx, wanted.Path, wanted.Version)
	case "put-policy":
		return nil, spike.CreatePolicy(ctx, wanted.Name, wanted.SPIFFEID, wanted.Path, wanted.Permissions)
	case "get-policy":
		return spike.GetPolicy(ctx, wanted.Name)
	case "delete-policy":
		return nil, spike.DeletePolicy(ctx, wanted.Name)
	case "list-policies":
		return spike.ListPolicies(ctx, wanted.SPIFFEID, wanted.Path)
	case "recover":
		return spike.Recover(ctx)
	case "restore":
		return spike.Restore(ctx, wanted.ID, wanted.Shard)
	case "encrypt":
		return spike.CipherEncrypt(ctx, wanted.Plaintext, "")
	case "decrypt":
		return spike.CipherDecrypt(ctx, 1, wanted.Nonce, wanted.Ciphertext, "")
	case "encrypt-stream":
		return spike.CipherEncryptStream(ctx, bytes.NewReader(wanted.Plaintext))
	case "decrypt-stream":
		return spike.CipherDecryptStream(ctx, bytes.NewReader(wanted.Ciphertext))
	}
	failure := sdkErrors.ErrDataInvalidInput.Clone()
	return nil, failure
}

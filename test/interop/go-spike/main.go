// The Go SDK of SPIKE as a client of our Nexus. Each line of standard input is one call, each line of standard output
// its outcome. Where Nexus and the Workload API are comes from the variables that the SDK itself reads.
package main

import (
	"bufio"
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
}

func main() {
	if err := run(); err != nil {
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
	case "encrypt":
		return spike.CipherEncrypt(ctx, []byte("plain"), "")
	}
	failure := sdkErrors.ErrDataInvalidInput.Clone()
	return nil, failure
}

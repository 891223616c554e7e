package main

import (
	"context"
	"encoding/json"
	"io"
	stdnet "net"
	"net/http"
	"os"
	"sync"

	"github.com/spiffe/spike-sdk-go/api/entity/v1/reqres"
	"github.com/spiffe/spike-sdk-go/api/url"
	"github.com/spiffe/spike-sdk-go/config/env"
	sdkErrors "github.com/spiffe/spike-sdk-go/errors"
	"github.com/spiffe/spike-sdk-go/journal"
	"github.com/spiffe/spike-sdk-go/net"
	"github.com/spiffe/spike-sdk-go/predicate"
	"github.com/spiffe/spike-sdk-go/spiffe"
)

// keeper holds one share in memory, behind the server, the routes, the predicates and the bodies of the SDK. It knows
// nothing of slots, of notes and of whose the share is, as a Keeper of the original does not.
type keeper struct {
	mutex sync.Mutex
	shard *[32]byte
}

// serveKeeper serves until standard input ends; its first line says where.
func serveKeeper() error {
	source, _, sdkErr := spiffe.Source(context.Background(), spiffe.EndpointSocket())
	if sdkErr != nil {
		return sdkErr
	}
	listener, err := stdnet.Listen("tcp", env.KeeperTLSPortVal())
	if err != nil {
		return err
	}
	held := &keeper{}
	server := net.CreateMTLSServerWithPredicate(source, listener.Addr().String(), predicate.AllowKeeperPeer)
	net.HandleRoute(held.route)
	address := map[string]any{"port": listener.Addr().(*stdnet.TCPAddr).Port}
	if err := json.NewEncoder(os.Stdout).Encode(address); err != nil {
		return err
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = server.Close()
	}()
	if err := server.ServeTLS(listener, "", ""); err != http.ErrServerClosed {
		return err
	}
	return nil
}

func (k *keeper) route(
	w http.ResponseWriter, r *http.Request, audit *journal.AuditEntry,
) *sdkErrors.SDKError {
	action := url.APIAction(r.URL.Query().Get(url.KeyAPIAction))
	choose := func(action url.APIAction, path url.APIURL) net.Handler {
		switch {
		case action == url.ActionDefault && path == url.KeeperContribute:
			return k.contribute
		case action == url.ActionDefault && path == url.KeeperShard:
			return k.give
		}
		return net.Fallback
	}
	return net.RouteFactory(url.APIURL(r.URL.Path), action, r.Method, choose)(w, r, audit)
}

func (k *keeper) contribute(
	w http.ResponseWriter, r *http.Request, _ *journal.AuditEntry,
) *sdkErrors.SDKError {
	var answer reqres.ShardPutResponse
	request, err := net.ReadParseAndGuard(w, r, answer.BadRequest(),
		func(asked reqres.ShardPutRequest, w http.ResponseWriter, r *http.Request) *sdkErrors.SDKError {
			if err := net.AuthorizeAndRespondOnFailNoPolicy(
				answer.Unauthorized(), predicate.AllowKeeperPeer, w, r,
			); err != nil {
				return err
			}
			return net.RespondErrOnEmptyShard(asked.Shard, answer.BadRequest(), w)
		})
	if err != nil {
		return err
	}
	k.mutex.Lock()
	k.shard = request.Shard
	k.mutex.Unlock()
	return net.Success(answer.Success(), w)
}

func (k *keeper) give(
	w http.ResponseWriter, r *http.Request, _ *journal.AuditEntry,
) *sdkErrors.SDKError {
	var answer reqres.ShardGetResponse
	_, err := net.ReadParseAndGuard(w, r, answer.BadRequest(),
		func(_ reqres.ShardGetRequest, w http.ResponseWriter, r *http.Request) *sdkErrors.SDKError {
			return net.AuthorizeAndRespondOnFailNoPolicy(answer.Unauthorized(), predicate.AllowNexus, w, r)
		})
	if err != nil {
		return err
	}
	k.mutex.Lock()
	defer k.mutex.Unlock()
	if k.shard == nil {
		return net.Fail(answer.BadRequest(), w, http.StatusBadRequest)
	}
	answer.Shard = k.shard
	return net.Success(answer.Success(), w)
}

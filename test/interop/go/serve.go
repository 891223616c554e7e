package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/spiffetls/tlsconfig"
	"github.com/spiffe/go-spiffe/v2/workloadapi"
)

const headerDeadline = 10 * time.Second

// serve answers every request of a client with the given ID. It says its address first, and of each connection that
// ended how many bytes came through its TLS.
func serve(ctx context.Context, id string) error {
	source, err := workloadapi.NewX509Source(ctx)
	if err != nil {
		return err
	}
	defer source.Close()
	client, err := spiffeid.FromString(id)
	if err != nil {
		return err
	}
	config := tlsconfig.MTLSServerConfig(source, source, tlsconfig.AuthorizeID(client))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{
		ReadHeaderTimeout: headerDeadline,
		ConnContext:       func(ctx context.Context, conn net.Conn) context.Context { return context.WithValue(ctx, peer{}, conn) },
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			state := r.Context().Value(peer{}).(*counted).ConnectionState()
			fmt.Fprintf(w, `{"you":%q}`, state.PeerCertificates[0].URIs[0].String())
		}),
	}
	say(map[string]any{"address": listener.Addr().String()})
	go func() {
		<-ctx.Done()
		_ = server.Close()
	}()
	if err := server.Serve(&counting{listener, config}); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

type peer struct{}

type counting struct {
	net.Listener
	config *tls.Config
}

func (l *counting) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &counted{Conn: tls.Server(conn, l.config)}, nil
}

// counted is hidden from net/http as a TLS connection: it counts what arrives as HTTP.
type counted struct {
	*tls.Conn
	bytes atomic.Int64
	once  sync.Once
}

func (c *counted) Read(into []byte) (int, error) {
	n, err := c.Conn.Read(into)
	c.bytes.Add(int64(n))
	return n, err
}

func (c *counted) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() { say(map[string]any{"closed": true, "bytes": c.bytes.Load()}) })
	return err
}

package main

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spiffe/spike-sdk-go/api"
	"github.com/spiffe/spike-sdk-go/crypto"
)

const (
	challengeBytes = 32
	pause          = 100 * time.Millisecond
)

// bootstrap does what the original does, with the calls of the SDK: it draws a root key, hands each Keeper its share one
// after another, and asks Nexus for the proof until it is given or standard input ends. It
// takes no lease. For each step it says one line.
func bootstrap() error {
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	spike, sdkErr := api.NewWithContext(ctx)
	if sdkErr != nil {
		return sdkErr
	}
	defer func() { _ = spike.Close() }()
	out := json.NewEncoder(os.Stdout)
	var rootKey [32]byte
	for _, share := range crypto.RootShares(&rootKey) {
		id, err := share.ID.MarshalBinary()
		if err != nil {
			return err
		}
		keeper := fmt.Sprint(id[len(id)-1])
		answer := map[string]any{"keeper": keeper}
		if sdkErr := spike.Contribute(ctx, share, keeper); sdkErr != nil {
			answer["code"] = sdkErr.Code
		}
		if err := out.Encode(answer); err != nil {
			return err
		}
	}
	challenge := make([]byte, challengeBytes)
	if _, err := rand.Read(challenge); err != nil {
		return err
	}
	text := hex.EncodeToString(challenge)
	nonce, ciphertext, err := seal(rootKey[:], text)
	if err != nil {
		return err
	}
	for {
		sdkErr := spike.Verify(ctx, text, nonce, ciphertext)
		if sdkErr == nil {
			return out.Encode(map[string]any{"verified": true})
		}
		if err := out.Encode(map[string]any{"verified": false, "code": sdkErr.Code}); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

// seal is the proof of wire.md 8: AES-256-GCM under the root key itself, with a random nonce of 12 bytes.
func seal(rootKey []byte, text string) ([]byte, []byte, error) {
	block, err := aes.NewCipher(rootKey)
	if err != nil {
		return nil, nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, nil, err
	}
	nonce := make([]byte, aead.NonceSize())
	if _, err := rand.Read(nonce); err != nil {
		return nil, nil, err
	}
	return nonce, aead.Seal(nil, nonce, []byte(text), nil), nil
}

// Verifies notes, checkpoints and proofs of SPIKE's audit with the code of Go's checksum database, which knows nothing of
// SPIKE. Reads one JSON object a line from standard input and says for each what verified.
package main

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type request struct {
	// Verifier keys, one for each signature that has to be there.
	Keys       []string
	Checkpoint string
	// A line that has to be in the checkpoint.
	Line      *string
	Index     int64
	Inclusion []string
	// An older checkpoint that this one has to go on from.
	Older       string
	Consistency []string
}

type checkpoint struct {
	origin string
	tree   tlog.Tree
}

func open(text string, keys []string) (checkpoint, error) {
	var verifiers []note.Verifier
	for _, key := range keys {
		verifier, err := note.NewVerifier(key)
		if err != nil {
			return checkpoint{}, err
		}
		verifiers = append(verifiers, verifier)
	}
	opened, err := note.Open([]byte(text), note.VerifierList(verifiers...))
	if err != nil {
		return checkpoint{}, err
	}
	if len(opened.Sigs) != len(keys) {
		return checkpoint{}, fmt.Errorf("%d signatures verify, not %d", len(opened.Sigs), len(keys))
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[3] != "" || lines[0] != opened.Sigs[0].Name {
		return checkpoint{}, fmt.Errorf("not three lines under the name of the key")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return checkpoint{}, err
	}
	hash, err := tlog.ParseHash(lines[2])
	return checkpoint{lines[0], tlog.Tree{N: size, Hash: hash}}, err
}

func hashes(texts []string) ([]tlog.Hash, error) {
	var all []tlog.Hash
	for _, text := range texts {
		bytes, err := base64.StdEncoding.DecodeString(text)
		if err != nil || len(bytes) != tlog.HashSize {
			return nil, fmt.Errorf("no hash: %s", text)
		}
		all = append(all, tlog.Hash(bytes))
	}
	return all, nil
}

func check(asked request) error {
	now, err := open(asked.Checkpoint, asked.Keys)
	if err != nil {
		return err
	}
	if asked.Line != nil {
		proof, err := hashes(asked.Inclusion)
		if err != nil {
			return err
		}
		leaf := tlog.RecordHash([]byte(*asked.Line))
		if err := tlog.CheckRecord(proof, now.tree.N, now.tree.Hash, asked.Index, leaf); err != nil {
			return err
		}
	}
	if asked.Older != "" {
		older, err := open(asked.Older, asked.Keys[:1])
		if err != nil {
			return err
		}
		proof, err := hashes(asked.Consistency)
		if err != nil {
			return err
		}
		return tlog.CheckTree(proof, now.tree.N, now.tree.Hash, older.tree.N, older.tree.Hash)
	}
	return nil
}

func main() {
	input := bufio.NewScanner(os.Stdin)
	input.Buffer(nil, 16<<20)
	output := json.NewEncoder(os.Stdout)
	for input.Scan() {
		var asked request
		err := json.Unmarshal(input.Bytes(), &asked)
		if err == nil {
			err = check(asked)
		}
		said := map[string]any{"ok": err == nil}
		if err != nil {
			said["error"] = err.Error()
		}
		_ = output.Encode(said)
	}
}

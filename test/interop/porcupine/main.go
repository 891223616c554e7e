// Command porcupine KEPT PICTURES HISTORY reads a history of versioned secrets, of which KEPT versions are kept, one
// operation as a JSON line, and says whether it is linearizable, key by key; pictures of what is not go to a directory. Unknown outcomes are left open: such an operation happened at
// some moment of its interval or not at all.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/anishathalye/porcupine"
)

// checkTime bounds the search of one key: one that takes longer is no answer, and fails.
const checkTime = 3 * time.Minute

type operation struct {
	Client   int    `json:"client"`
	Key      string `json:"key"`
	Kind     string `json:"kind"`
	Value    string `json:"value"`
	Cas      *int   `json:"cas"`
	Versions []int  `json:"versions"`
	All      bool   `json:"all"`
	Outcome  string `json:"outcome"`
	Version  int    `json:"version"`
	Read     string `json:"read"`
	Call     int64  `json:"call"`
	Return   int64  `json:"return"`
}

type version struct {
	number  int
	value   string
	deleted bool
}

// secret is what one path holds; a step makes a new one and never changes it.
type secret struct {
	exists   bool
	highest  int
	versions []version
}

type verdict struct {
	Result     string   `json:"result"`
	Keys       int      `json:"keys"`
	Operations int      `json:"operations"`
	Unknown    int      `json:"unknown"`
	Bad        []string `json:"bad"`
}

func main() {
	if len(os.Args) != 4 {
		fail(fmt.Errorf("usage: porcupine KEPT PICTURES HISTORY"))
	}
	var kept int
	if _, err := fmt.Sscan(os.Args[1], &kept); err != nil {
		fail(err)
	}
	pictures := os.Args[2]
	history, err := os.Open(os.Args[3])
	if err != nil {
		fail(err)
	}
	found := verdict{Result: "ok", Bad: []string{}}
	histories := map[string][]porcupine.Operation{}
	lines := bufio.NewScanner(history)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var one operation
		if err := json.Unmarshal(lines.Bytes(), &one); err != nil {
			fail(err)
		}
		found.Operations++
		if one.Outcome == "unknown" {
			found.Unknown++
		}
		histories[one.Key] = append(histories[one.Key], porcupine.Operation{
			ClientId: one.Client, Input: one, Call: one.Call, Output: one, Return: one.Return,
		})
	}
	if err := lines.Err(); err != nil {
		fail(err)
	}
	model := makeModel(kept)
	for key, history := range histories {
		found.Keys++
		result, info := porcupine.CheckOperationsVerbose(model, history, checkTime)
		if result == porcupine.Ok {
			continue
		}
		found.Bad = append(found.Bad, fmt.Sprintf("%s: %s of %d operations", key, result, len(history)))
		found.Result = "bad"
		name := filepath.Join(pictures, fmt.Sprintf("%d.html", len(found.Bad)))
		if err := porcupine.VisualizePath(model, info, name); err != nil {
			fail(err)
		}
	}
	slices.Sort(found.Bad)
	if err := json.NewEncoder(os.Stdout).Encode(found); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func makeModel(kept int) porcupine.Model {
	model := porcupine.NondeterministicModel{
		Init: func() []interface{} { return []interface{}{secret{}} },
		Step: func(state, input, _ interface{}) []interface{} {
			return step(state.(secret), input.(operation), kept)
		},
		Equal: func(a, b interface{}) bool { return equal(a.(secret), b.(secret)) },
		DescribeOperation: func(input, _ interface{}) string {
			text, _ := json.Marshal(input)
			return string(text)
		},
		DescribeState: func(state interface{}) string { return fmt.Sprintf("%+v", state) },
	}
	return model.ToModel()
}

func equal(a, b secret) bool {
	return a.exists == b.exists && a.highest == b.highest && slices.Equal(a.versions, b.versions)
}

// step answers every state that the operation may leave behind, given how it ended; none when it can't have ended so.
func step(before secret, one operation, kept int) []interface{} {
	if one.Kind == "get" {
		return when(reads(before, one), before)
	}
	after, outcome, number := apply(before, one, kept)
	if one.Outcome == "unknown" {
		if outcome != "ok" {
			return []interface{}{before}
		}
		return []interface{}{before, after}
	}
	if one.Outcome != outcome || (one.Kind == "put" && outcome == "ok" && one.Version != number) {
		return nil
	}
	return []interface{}{after}
}

func when(holds bool, state secret) []interface{} {
	if holds {
		return []interface{}{state}
	}
	return nil
}

func reads(state secret, one operation) bool {
	wanted := current(state)
	if len(one.Versions) > 0 && one.Versions[0] != 0 {
		wanted = one.Versions[0]
	}
	for _, entry := range state.versions {
		if entry.number == wanted && !entry.deleted {
			return one.Outcome == "ok" && one.Version == entry.number && one.Read == entry.value
		}
	}
	return one.Outcome == "absent"
}

func current(state secret) int {
	for _, entry := range slices.Backward(state.versions) {
		if !entry.deleted {
			return entry.number
		}
	}
	return 0
}

func newestDeleted(state secret) int {
	for _, entry := range slices.Backward(state.versions) {
		if entry.deleted {
			return entry.number
		}
	}
	return 0
}

func apply(before secret, one operation, kept int) (secret, string, int) {
	after := secret{before.exists, before.highest, slices.Clone(before.versions)}
	switch one.Kind {
	case "put":
		if one.Cas != nil && *one.Cas != current(before) {
			return before, "conflict", 0
		}
		after.exists = true
		after.highest++
		after.versions = append(after.versions, version{number: after.highest, value: one.Value})
		after.versions = after.versions[max(0, len(after.versions)-kept):]
		return after, "ok", after.highest
	case "delete", "undelete":
		if !before.exists {
			return before, "absent", 0
		}
		meant := current(before)
		if one.Kind == "undelete" {
			meant = newestDeleted(before)
		}
		changed := false
		for i, entry := range after.versions {
			if names(one, entry.number, meant) {
				after.versions[i].deleted = one.Kind == "delete"
				changed = changed || entry.deleted != after.versions[i].deleted
			}
		}
		if one.Kind == "undelete" && !changed {
			return before, "absent", 0
		}
		return after, "ok", 0
	case "destroy":
		if !before.exists {
			return before, "absent", 0
		}
		if one.All {
			return secret{}, "ok", 0
		}
		after.versions = slices.DeleteFunc(after.versions, func(entry version) bool {
			return slices.Contains(one.Versions, entry.number)
		})
		return after, "ok", 0
	}
	fail(fmt.Errorf("there is no operation %q", one.Kind))
	return before, "", 0
}

// names tells whether the operation is about this version; no version, or 0, is the one that is meant then.
func names(one operation, number, meant int) bool {
	if len(one.Versions) == 0 {
		return number == meant
	}
	return slices.Contains(one.Versions, number) || (slices.Contains(one.Versions, 0) && number == meant)
}

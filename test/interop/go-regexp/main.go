// What Go's regexp says of patterns: one JSON object a line in, one out. With the argument "exhaustive" it prints the
// cases that RE2 was tested with instead, which lie packed in Go's own tree.
package main

import (
	"bufio"
	"compress/bzip2"
	"encoding/json"
	"io"
	"log"
	"os"
	"regexp"
)

type question struct {
	Pattern  string   `json:"pattern"`
	Subjects []string `json:"subjects"`
}

type answer struct {
	// Why Go refuses the pattern; empty when it takes it.
	Refused string `json:"refused"`
	// For each subject: is the whole of it a match, and is there one anywhere in it?
	Whole    []bool `json:"whole"`
	Anywhere []bool `json:"anywhere"`
}

func main() {
	if len(os.Args) == 3 && os.Args[1] == "exhaustive" {
		unpack(os.Args[2])
		return
	}
	in := json.NewDecoder(bufio.NewReader(os.Stdin))
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for {
		var asked question
		if err := in.Decode(&asked); err == io.EOF {
			return
		} else if err != nil {
			log.Fatal(err)
		}
		if err := json.NewEncoder(out).Encode(judge(asked)); err != nil {
			log.Fatal(err)
		}
	}
}

func judge(asked question) answer {
	expression, err := regexp.Compile(asked.Pattern)
	if err != nil {
		return answer{Refused: err.Error()}
	}
	longest := regexp.MustCompile(asked.Pattern)
	// The leftmost and longest match is the whole subject if any match is.
	longest.Longest()
	var said answer
	for _, subject := range asked.Subjects {
		found := longest.FindStringIndex(subject)
		said.Whole = append(said.Whole, found != nil && found[0] == 0 && found[1] == len(subject))
		said.Anywhere = append(said.Anywhere, expression.MatchString(subject))
	}
	return said
}

func unpack(path string) {
	file, err := os.Open(path)
	if err != nil {
		log.Fatal(err)
	}
	defer file.Close()
	if _, err := io.Copy(os.Stdout, bzip2.NewReader(file)); err != nil {
		log.Fatal(err)
	}
}

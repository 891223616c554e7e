// The age tool's own library as a counterpart: it makes keys, seals and opens, from standard input to standard output.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"filippo.io/age"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 1 && args[0] == "key":
		return key()
	case len(args) == 2 && args[0] == "seal":
		return seal(args[1])
	case len(args) == 2 && args[0] == "open":
		return open(args[1])
	}
	return errors.New("usage: age key | seal RECIPIENTS-FILE | open IDENTITY-FILE")
}

func key() error {
	identity, err := age.GenerateHybridIdentity()
	if err != nil {
		return err
	}
	fmt.Printf("# public key: %s\n%s\n", identity.Recipient(), identity)
	return nil
}

func seal(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	recipients, err := age.ParseRecipients(file)
	if err != nil {
		return err
	}
	sealed, err := age.Encrypt(os.Stdout, recipients...)
	if err != nil {
		return err
	}
	if _, err := io.Copy(sealed, os.Stdin); err != nil {
		return err
	}
	return sealed.Close()
}

func open(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	identities, err := age.ParseIdentities(file)
	if err != nil {
		return err
	}
	opened, err := age.Decrypt(os.Stdin, identities...)
	if err != nil {
		return err
	}
	_, err = io.Copy(os.Stdout, opened)
	return err
}

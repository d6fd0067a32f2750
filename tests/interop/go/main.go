// Interop verifies what a grootboek node serves with the unmodified libraries of
// transparency-dev, which know nothing of grootboek.
//
//	interop -policy POLICY -checkpoint CHECKPOINT [-receipt RECEIPT -entry ENTRY]
//
// POLICY is what `grootboek policy` prints, CHECKPOINT what GET /checkpoint answers, RECEIPT a
// receipt in its text form and ENTRY the raw log entry of the receipt's first record.
// It prints one line that starts with "verified", or says on stderr what is wrong and exits 1.
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"

	"github.com/transparency-dev/formats/log"
	f_note "github.com/transparency-dev/formats/note"
	"github.com/transparency-dev/formats/proof"
	"github.com/transparency-dev/formats/witness"
	"github.com/transparency-dev/merkle"
	m_proof "github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"
)

var (
	policyPath     = flag.String("policy", "", "tlog-policy file")
	checkpointPath = flag.String("checkpoint", "", "served checkpoint")
	receiptPath    = flag.String("receipt", "", "receipt in tlog-proof form")
	entryPath      = flag.String("entry", "", "raw log entry of the receipt's first record")
)

func main() {
	flag.Parse()
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "refused:", err)
		os.Exit(1)
	}
}

func run() error {
	policy, err := os.ReadFile(*policyPath)
	if err != nil {
		return err
	}
	served, err := os.ReadFile(*checkpointPath)
	if err != nil {
		return err
	}
	newest, err := checkpoint(policy, served)
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	fmt.Printf("verified checkpoint %s of size %d\n", newest.Origin, newest.Size)
	if *receiptPath == "" {
		return nil
	}
	return receipt(policy)
}

// checkpoint opens a signed note: one of the policy's log keys signed it, and its quorum of
// witnesses (the replicas) cosigned it.
func checkpoint(policy, text []byte) (*log.Checkpoint, error) {
	quorum, err := witness.ParsePolicy(policy)
	if err != nil {
		return nil, err
	}
	opened, err := note.Open(text, note.VerifierList(logs(policy)...))
	if err != nil {
		return nil, err
	}
	if len(opened.Sigs) != 1 {
		return nil, fmt.Errorf("%d log signatures", len(opened.Sigs))
	}
	if !quorum.Satisfied(text) {
		return nil, fmt.Errorf("the quorum of %d witnesses is not satisfied", quorum.N)
	}
	found := &log.Checkpoint{}
	rest, err := found.Unmarshal([]byte(opened.Text))
	if err != nil {
		return nil, err
	}
	if len(rest) != 0 || found.Origin != opened.Sigs[0].Name {
		return nil, fmt.Errorf("the origin is not the log's")
	}
	return found, nil
}

// logs gives the verifiers of the policy's log lines, which witness.ParsePolicy leaves to its callers.
func logs(policy []byte) []note.Verifier {
	var found []note.Verifier
	for _, line := range strings.Split(string(policy), "\n") {
		fields := strings.Fields(line)
		if len(fields) < 2 || fields[0] != "log" {
			continue
		}
		if verifier, err := f_note.NewVerifier(fields[1]); err == nil {
			found = append(found, verifier)
		}
	}
	return found
}

func receipt(policy []byte) error {
	text, err := os.ReadFile(*receiptPath)
	if err != nil {
		return err
	}
	entry, err := os.ReadFile(*entryPath)
	if err != nil {
		return err
	}
	var parsed proof.TLogProof
	if err := parsed.Unmarshal(text); err != nil {
		return err
	}
	root, err := checkpoint(policy, parsed.Checkpoint)
	if err != nil {
		return fmt.Errorf("receipt: %w", err)
	}
	hashes := make([][]byte, len(parsed.Hashes))
	for i := range parsed.Hashes {
		hashes[i] = parsed.Hashes[i][:]
	}
	var hasher merkle.LogHasher = rfc6962.DefaultHasher
	err = m_proof.VerifyInclusion(hasher, parsed.Index, root.Size, hasher.HashLeaf(entry), hashes, root.Hash)
	if err != nil {
		return fmt.Errorf("receipt: %w", err)
	}
	fmt.Printf("verified receipt at index %d in %s of size %d\n", parsed.Index, root.Origin, root.Size)
	return nil
}

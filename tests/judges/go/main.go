// Judges what the exchange writes, with the libraries that others read transparency logs with: golang.org/x/mod/sumdb/note and
// tlog, and transparency-dev's formats and tessera. None of the exchange's own code is here.
//
// It reads one JSON object on standard input, prints a sentence for each thing that is wrong, and ends with 1 when there was one.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	f_log "github.com/transparency-dev/formats/log"
	f_note "github.com/transparency-dev/formats/note"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/client"
	"github.com/transparency-dev/tessera/fsck"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// A checkpoint as a signed note, the key of its log, the keys of all its witnesses.
type signedNote struct {
	Note      string
	LogKey    string
	Witnesses []string
	Origin    string
	Size      uint64
	Root      []byte
}

// A directory of tiles, and proofs that were made from it.
type tree struct {
	Directory string
	Size      int64
	Root      []byte
	Inclusion []struct {
		Index int64
		Entry []byte
		Path  [][]byte
	}
	Consistency []struct {
		Old     int64
		OldRoot []byte
		Path    [][]byte
	}
	Tiles []struct {
		Old, Size int64
		Paths     []string
	}
}

// An entry and its proof in the form of c2sp.org/tlog-proof, with the keys that are believed.
type entryProof struct {
	Proof     string
	Entry     []byte
	LogKey    string
	Witnesses []string
}

// A policy, and checkpoints that meet it or do not.
type policy struct {
	Policy      string
	Met, NotMet []string
}

// A directory of a whole log for tessera's fsck.
type directory struct{ Directory, LogKey string }

type work struct {
	Notes    []signedNote
	Trees    []tree
	Proofs   []entryProof
	Policies []policy
	Logs     []directory
}

func main() {
	var w work
	decoder := json.NewDecoder(os.Stdin)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&w); err != nil {
		fmt.Println("the work is not readable:", err)
		os.Exit(2)
	}
	var found []error
	for _, n := range w.Notes {
		found = append(found, judgeNote(n))
	}
	for _, t := range w.Trees {
		found = append(found, judgeTree(t)...)
	}
	for _, p := range w.Proofs {
		found = append(found, judgeProof(p))
	}
	for _, p := range w.Policies {
		found = append(found, judgePolicy(p)...)
	}
	for _, d := range w.Logs {
		found = append(found, judgeDirectory(d))
	}
	if err := errors.Join(found...); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Printf("%d notes, %d trees, %d proofs, %d policies, %d logs are good\n",
		len(w.Notes), len(w.Trees), len(w.Proofs), len(w.Policies), len(w.Logs))
}

// keys are the verifier of a log and, after it, those of witnesses.
func keys(logKey string, witnesses []string) ([]note.Verifier, error) {
	first, err := note.NewVerifier(logKey)
	if err != nil {
		return nil, fmt.Errorf("log key %q: %w", logKey, err)
	}
	known := []note.Verifier{first}
	for _, vkey := range witnesses {
		witness, err := f_note.NewVerifierForCosignatureV1(vkey)
		if err != nil {
			return nil, fmt.Errorf("witness key %q: %w", vkey, err)
		}
		known = append(known, witness)
	}
	return known, nil
}

func judgeNote(n signedNote) error {
	known, err := keys(n.LogKey, n.Witnesses)
	if err != nil {
		return err
	}
	opened, err := note.Open([]byte(n.Note), note.VerifierList(known...))
	if err != nil {
		return fmt.Errorf("note of %s at %d: %w", n.Origin, n.Size, err)
	}
	if len(opened.Sigs) != len(known) || len(opened.UnverifiedSigs) != 0 {
		return fmt.Errorf("note of %s at %d: %d of %d signatures are good", n.Origin, n.Size, len(opened.Sigs), len(known))
	}
	checkpoint, _, _, err := f_log.ParseCheckpoint([]byte(n.Note), n.Origin, known[0], known[1:]...)
	if err != nil {
		return fmt.Errorf("checkpoint of %s at %d: %w", n.Origin, n.Size, err)
	}
	if checkpoint.Size != n.Size || !bytes.Equal(checkpoint.Hash, n.Root) {
		return fmt.Errorf("checkpoint of %s: it reads %d %x", n.Origin, checkpoint.Size, checkpoint.Hash)
	}
	return nil
}

// judgeProof does what a stranger does who has nothing but a proof, an entry and keys.
func judgeProof(p entryProof) error {
	known, err := keys(p.LogKey, p.Witnesses)
	if err != nil {
		return err
	}
	head, checkpoint, _ := strings.Cut(p.Proof, "\n\n")
	lines := strings.Split(head, "\n")
	if len(lines) < 2 || lines[0] != "c2sp.org/tlog-proof@v1" || !strings.HasPrefix(lines[1], "index ") {
		return fmt.Errorf("proof: it begins with %q", head)
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[1], "index "), 10, 64)
	if err != nil {
		return fmt.Errorf("proof: %w", err)
	}
	var path tlog.RecordProof
	for _, line := range lines[2:] {
		hash, err := tlog.ParseHash(line)
		if err != nil {
			return fmt.Errorf("proof of %d: %w", index, err)
		}
		path = append(path, hash)
	}
	opened, err := note.Open([]byte(checkpoint), note.VerifierList(known...))
	if err != nil {
		return fmt.Errorf("proof of %d: %w", index, err)
	}
	if len(opened.Sigs) != len(known) {
		return fmt.Errorf("proof of %d: %d of %d signatures are good", index, len(opened.Sigs), len(known))
	}
	text := strings.Split(opened.Text, "\n")
	size, err := strconv.ParseInt(text[1], 10, 64)
	if err != nil {
		return fmt.Errorf("proof of %d: %w", index, err)
	}
	root, err := tlog.ParseHash(text[2])
	if err != nil {
		return fmt.Errorf("proof of %d: %w", index, err)
	}
	return tlog.CheckRecord(path, size, root, index, tlog.RecordHash(p.Entry))
}

// files reads the tiles of a directory where C2SP has them: as Go, without the height.
type files string

func (f files) Height() int { return 8 }

func (f files) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range tiles {
		data, err := os.ReadFile(filepath.Join(string(f), pathOf(tile)))
		if err != nil {
			return nil, err
		}
		all = append(all, data)
	}
	return all, nil
}

func (f files) SaveTiles([]tlog.Tile, [][]byte) {}

func pathOf(t tlog.Tile) string { return strings.Replace(t.Path(), "tile/8/", "tile/", 1) }

func judgeTree(t tree) []error {
	var found []error
	root := tlog.Hash(t.Root)
	reader := tlog.TileHashReader(tlog.Tree{N: t.Size, Hash: root}, files(t.Directory))
	for _, p := range t.Inclusion {
		path := hashes(p.Path)
		if err := tlog.CheckRecord(path, t.Size, root, p.Index, tlog.RecordHash(p.Entry)); err != nil {
			found = append(found, fmt.Errorf("inclusion of %d in %d: %w", p.Index, t.Size, err))
		}
		made, err := tlog.ProveRecord(t.Size, p.Index, reader)
		if err != nil || !same(made, path) {
			found = append(found, fmt.Errorf("inclusion of %d in %d: Go proves it by other hashes (%v)", p.Index, t.Size, err))
		}
	}
	for _, p := range t.Consistency {
		path := hashes(p.Path)
		if err := tlog.CheckTree(path, t.Size, root, p.Old, tlog.Hash(p.OldRoot)); err != nil {
			found = append(found, fmt.Errorf("consistency of %d with %d: %w", t.Size, p.Old, err))
		}
		made, err := tlog.ProveTree(t.Size, p.Old, reader)
		if err != nil || !same(made, path) {
			found = append(found, fmt.Errorf("consistency of %d with %d: Go proves it by other hashes (%v)", t.Size, p.Old, err))
		}
	}
	for _, g := range t.Tiles {
		var wanted []string
		for _, tile := range tlog.NewTiles(8, g.Old, g.Size) {
			wanted = append(wanted, pathOf(tile))
		}
		if fmt.Sprint(wanted) != fmt.Sprint(g.Paths) {
			found = append(found, fmt.Errorf("tiles from %d to %d: %v, Go writes %v", g.Old, g.Size, g.Paths, wanted))
		}
	}
	return found
}

func hashes(path [][]byte) []tlog.Hash {
	made := make([]tlog.Hash, 0, len(path))
	for _, node := range path {
		made = append(made, tlog.Hash(node))
	}
	return made
}

func same[T ~[]tlog.Hash](a T, b []tlog.Hash) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func judgePolicy(p policy) []error {
	group, err := tessera.NewWitnessGroupFromPolicy([]byte(p.Policy))
	if err != nil {
		return []error{fmt.Errorf("policy: %w", err)}
	}
	var found []error
	for _, text := range p.Met {
		if !group.Satisfied([]byte(text)) {
			found = append(found, fmt.Errorf("policy: not met by\n%s", text))
		}
	}
	for _, text := range p.NotMet {
		if group.Satisfied([]byte(text)) {
			found = append(found, fmt.Errorf("policy: met by\n%s", text))
		}
	}
	return found
}

func judgeDirectory(d directory) error {
	key, err := note.NewVerifier(d.LogKey)
	if err != nil {
		return fmt.Errorf("log key %q: %w", d.LogKey, err)
	}
	// A worker ends at the first thing that is wrong; when all have ended, Check waits for ever. So there are more than can be wrong.
	check := fsck.New(key.Name(), key, &client.FileFetcher{Root: d.Directory}, leavesOf, fsck.Opts{N: 64})
	if err := check.Check(context.Background()); err != nil {
		return fmt.Errorf("fsck of %s: %w", key.Name(), err)
	}
	return nil
}

func leavesOf(bundle []byte) ([][]byte, error) {
	entries := api.EntryBundle{}
	if err := entries.UnmarshalText(bundle); err != nil {
		return nil, err
	}
	var leaves [][]byte
	for _, entry := range entries.Entries {
		leaves = append(leaves, rfc6962.DefaultHasher.HashLeaf(entry))
	}
	return leaves, nil
}

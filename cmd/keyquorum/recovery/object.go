package recovery

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"keyquorum/cmd/keyquorum/console"
	"keyquorum/cmd/keyquorum/operator"
)

// RestoreObjectCommand is restore-object: one secret or key, in a snapshot and now.
func RestoreObjectCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "restore-object secrets/NAME|keys/NAME[/VERSION]",
		Short: "Show what a secret or a key was in a snapshot, and bring it back",
		Long: "Show what a secret or a key was in a snapshot of this cluster, beside what it is " +
			"now: its versions, their times, tags and attributes, and whether value or key are " +
			"the same. No value is shown. With --bring-back, one that is gone comes back with " +
			"its versions, under their ids, and a key with its rotation policy; one that lives " +
			"gets the versions that it lacks, and its newest one stays the newest. Nothing that " +
			"is there changes. One that is deleted is recovered, not brought back.\n\nThe " +
			"snapshot goes to the node, which opens it, if it is one of this cluster. All that " +
			"else is in it stays where it is.",
		Example: "  keyquorum restore-object secrets/db-password --vault payments " +
			"--snapshot backup.snap\n" +
			"  keyquorum restore-object keys/signing --vault payments --snapshot backup.snap " +
			"--bring-back",
		Args: console.Arguments(1, 1),
	}
	k := operator.ConnectionFlags(c)
	format := console.FormatFlag(c)
	f := c.Flags()
	vault := f.String("vault", "", "`name` of the vault, then and now")
	snapshot := f.String("snapshot", "", "`file` with a snapshot of this cluster")
	bring := f.Bool("bring-back", false, "bring back what is missing")
	completeWith(c, "vault", func(begun string) ([]string, cobra.ShellCompDirective) {
		return k.VaultNames(begun), cobra.ShellCompDirectiveNoFileComp
	})
	completeWith(c, "snapshot", func(string) ([]string, cobra.ShellCompDirective) {
		return nil, cobra.ShellCompDirectiveDefault
	})
	c.RunE = func(c *cobra.Command, args []string) error {
		path, err := objectPath(*vault, args[0], *bring)
		if err != nil {
			return err
		}
		if *snapshot == "" {
			return errors.New("say with --snapshot which file to look into")
		}
		api, err := k.Client()
		if err != nil {
			return err
		}
		out, err := lookBack(c, api, path, *snapshot)
		if err != nil {
			return err
		}
		return out.print(c, format)
	}
	return c
}

func completeWith(c *cobra.Command, flag string,
	complete func(begun string) ([]string, cobra.ShellCompDirective)) {
	if err := c.RegisterFlagCompletionFunc(flag, func(_ *cobra.Command, _ []string,
		begun string) ([]string, cobra.ShellCompDirective) {
		return complete(begun)
	}); err != nil {
		panic(err) // the flag is there
	}
}

// objectPath is the call for an object, as people name it.
func objectPath(vault, object string, bring bool) (string, error) {
	parts := strings.Split(object, "/")
	if len(parts) < 2 || len(parts) > 3 || parts[0] != "secrets" && parts[0] != "keys" {
		return "", fmt.Errorf("%q: it is secrets/NAME, keys/NAME, or one of these with /VERSION", object)
	}
	if vault == "" {
		return "", errors.New("say with --vault in which vault it is")
	}
	q := url.Values{"vault": {vault}, "type": {parts[0]}, "name": {parts[1]}}
	if len(parts) == 3 {
		q.Set("version", parts[2])
	}
	path := operator.Administration + "snapshot/object"
	if bring {
		path += "/restore"
	}
	return path + "?" + q.Encode(), nil
}

// lookBack sends a snapshot to a node.
func lookBack(c *cobra.Command, api *operator.Client, path, snapshot string) (comparison, error) {
	var answer struct {
		Data comparison `json:"data"`
	}
	if _, err := read(c, snapshot); err != nil {
		return answer.Data, err
	}
	file, err := os.Open(snapshot)
	if err != nil {
		return answer.Data, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return answer.Data, err
	}
	sent := &counted{r: file}
	done := console.Progress(c.ErrOrStderr(), 2*time.Second, func() string {
		return fmt.Sprintf("%d of %d MiB sent", sent.bytes.Load()>>20, info.Size()>>20)
	})
	err = api.Send(c.Context(), path, sent, &answer)
	done()
	return answer.Data, err
}

// counted says how much of a file was read.
type counted struct {
	r     io.Reader
	bytes atomic.Int64
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.bytes.Add(int64(n))
	return n, err
}

// A comparison is what the node answers, and what is printed as JSON.
type comparison struct {
	Snapshot struct {
		Index      uint64 `json:"index"`
		Generation uint64 `json:"generation"`
	} `json:"snapshot"`
	Vault       string        `json:"vault"`
	Type        string        `json:"type"`
	Name        string        `json:"name"`
	Was         objectState   `json:"was"`
	Is          objectState   `json:"is"`
	Versions    []versionPair `json:"versions"`
	BroughtBack bool          `json:"brought_back"`
}

type objectState struct {
	State          string     `json:"state"`
	Current        string     `json:"current,omitempty"`
	Versions       int        `json:"versions"`
	Deleted        *time.Time `json:"deleted,omitempty"`
	ScheduledPurge *time.Time `json:"scheduled_purge,omitempty"`
}

type versionPair struct {
	Version  string       `json:"version"`
	Was      versionInfo  `json:"was"`
	Is       *versionInfo `json:"is"`
	SameData bool         `json:"same_data"`
}

type versionInfo struct {
	Enabled     bool              `json:"enabled"`
	Created     time.Time         `json:"created"`
	Updated     time.Time         `json:"updated"`
	NotBefore   *time.Time        `json:"not_before,omitempty"`
	Expires     *time.Time        `json:"expires,omitempty"`
	Tags        map[string]string `json:"tags,omitempty"`
	ContentType string            `json:"content_type,omitempty"`
	Kty         string            `json:"kty,omitempty"`
	Crv         string            `json:"crv,omitempty"`
	KeyOps      []string          `json:"key_ops,omitempty"`
	Exportable  bool              `json:"exportable,omitempty"`
}

// print shows the versions in a table, and says what is to be done.
func (o comparison) print(c *cobra.Command, format *console.Format) error {
	t := console.NewTable("Version", "Created", "Was", "Is")
	for _, p := range o.Versions {
		t.Add(p.Version, console.TimeText(p.Was.Created),
			p.Was.words(p.Version == o.Was.Current), o.now(p))
	}
	if err := format.Print(c, o, t); err != nil || *format != "table" {
		return err
	}
	word := strings.TrimSuffix(o.Type, "s")
	console.Tell(c, c.OutOrStdout(),
		"\nThe %s %s of the vault %s was %s in the snapshot of index %d. %s",
		word, o.Name, o.Vault, o.Was.words(), o.Snapshot.Index, o.outcome(word))
	return nil
}

// outcome is what the object is, and what there is to do.
func (o comparison) outcome(word string) string {
	missing := 0
	for _, p := range o.Versions {
		if p.Is == nil {
			missing++
		}
	}
	switch {
	case o.BroughtBack && missing == 0:
		return "Nothing of it was missing, and nothing was changed."
	case o.BroughtBack:
		return fmt.Sprintf("What was missing is back: %d of its versions.", missing)
	case o.Is.State == "deleted":
		return fmt.Sprintf("Now it is %s: keyquorum %s recover %s brings it back.", o.Is.words(), word,
			o.Name)
	case missing == 0:
		return fmt.Sprintf("Now it is %s, and lacks none of these.", o.Is.words())
	case o.Is.State == "absent":
		return "Now it is gone: --bring-back brings it back."
	default:
		return fmt.Sprintf("Now it is %s, and lacks %d of these: --bring-back brings them back.",
			o.Is.words(), missing)
	}
}

func (s objectState) words() string {
	text := fmt.Sprintf("%s with %d versions", s.State, s.Versions)
	if s.Versions == 1 {
		text = s.State + " with 1 version"
	}
	if s.Deleted != nil {
		text += ", deleted at " + console.TimeText(*s.Deleted)
	}
	return text
}

// now says what became of a version.
func (o comparison) now(p versionPair) string {
	switch {
	case p.Is == nil && o.BroughtBack:
		return "brought back"
	case p.Is == nil:
		return "missing"
	}
	is := p.Is.words(p.Version == o.Is.Current)
	switch {
	case !p.SameData && o.Type == "keys":
		return is + ", another key"
	case !p.SameData:
		return is + ", another value"
	case is == p.Was.words(p.Version == o.Was.Current):
		return "the same"
	}
	return is
}

// words are what tells one version from another, for people.
func (v versionInfo) words(newest bool) string {
	words := []string{"enabled"}
	if !v.Enabled {
		words[0] = "disabled"
	}
	if newest {
		words = slices.Insert(words, 0, "newest")
	}
	if v.Kty != "" {
		words = append(words, strings.TrimSpace(v.Kty+" "+v.Crv))
	}
	if v.ContentType != "" {
		words = append(words, v.ContentType)
	}
	for _, name := range slices.Sorted(maps.Keys(v.Tags)) {
		words = append(words, cmp.Or(name, "''")+"="+v.Tags[name])
	}
	for _, end := range []struct {
		word string
		at   *time.Time
	}{{"not before", v.NotBefore}, {"expires", v.Expires}} {
		if end.at != nil {
			words = append(words, end.word+" "+console.TimeText(*end.at))
		}
	}
	return strings.Join(words, ", ")
}

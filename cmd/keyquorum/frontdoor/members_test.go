package frontdoor

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// storage is the stanza of a configuration that docs/members.md shows with places to join.
var storage = regexp.MustCompile(`(?s)storage "raft" \{.*?\n\}\n`)

// seeking makes a machine whose node looks for its cluster, as docs/members.md shows it.
func (o *operations) seeking(machine string) {
	o.t.Helper()
	o.prepare(machine, "10.0.0."+o.host[machine])
	file := filepath.Join(o.dir, machine, "keyquorum.hcl")
	config, err := os.ReadFile(file)
	if err != nil {
		o.t.Fatal(err)
	}
	stanza := strings.Replace(o.page["members hcl retry"][0], `node_id = "b"`,
		`node_id = "`+machine+`"`, 1)
	if !storage.Match(config) {
		o.t.Fatal("the configuration has no stanza for Raft any more")
	}
	config = storage.ReplaceAllLiteral(config, []byte(o.here(stanza, machine)))
	if err := os.WriteFile(file, config, 0o600); err != nil {
		o.t.Fatal(err)
	}
	o.sh(machine, o.page["running sh"][0], "")
}

// at is a line that has commands ask a machine's node.
func (o *operations) at(machine string) string {
	return "export KEYQUORUM_ADDR=https://10.0.0." + o.host[machine] +
		":8200 KEYQUORUM_CACERT=/etc/keyquorum/ca.pem\n"
}

func (o *operations) unseal(machine string, shares []string) {
	o.t.Helper()
	for _, share := range shares {
		o.sh(machine, o.at(machine)+"keyquorum operator unseal -", share)
	}
	o.await(machine, "/v1/sys/health?standbyok=true")
}

// found initialises the cluster at machine a, which is unsealed then, and returns three shares.
func (o *operations) found() (shares []string) {
	o.t.Helper()
	said := o.sh("a", o.at("a")+"keyquorum operator init", "")
	for _, m := range regexp.MustCompile(`(?m)^Unseal Key \d+:\s+(\S+)$`).FindAllStringSubmatch(said,
		-1) {
		keepCredentialOut(m[1])
		shares = append(shares, m[1])
	}
	token := regexp.MustCompile(`(?m)Root Token:\s+(\S+)$`).FindStringSubmatch(said)
	if len(shares) != 5 || token == nil {
		o.t.Fatal("init shows other than five shares and a token")
	}
	keepCredentialOut(token[1])
	o.env = append(o.env, "KEYQUORUM_TOKEN="+token[1])
	o.unseal("a", shares[:3])
	return shares[:3]
}

// A peer is a member as list-peers shows it.
type peer struct {
	ID      string `json:"node_id"`
	Address string `json:"address"`
	Voter   bool   `json:"voter"`
	Label   string `json:"label"`
}

func (o *operations) peers(machine string) []peer {
	o.t.Helper()
	var listed struct {
		Data struct {
			Config struct {
				Servers []peer `json:"servers"`
			} `json:"config"`
		} `json:"data"`
	}
	said := o.sh(machine, o.at(machine)+"keyquorum operator raft list-peers --format json", "")
	if err := json.Unmarshal([]byte(said), &listed); err != nil {
		o.t.Fatalf("%v: %s", err, said)
	}
	return listed.Data.Config.Servers
}

// until waits until something is so.
func (o *operations) until(what string, is func() bool) {
	o.t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(60 * time.Second); time.Now().Before(end); <-tick.C {
		if is() {
			return
		}
	}
	o.t.Fatalf("not within a minute: %s", what)
}

// awaitVoters waits until these machines vote, and there are no other members.
func (o *operations) awaitVoters(at string, machines ...string) {
	o.t.Helper()
	o.until(strings.Join(machines, ", ")+" vote, and nobody else", func() bool {
		var voters []string
		for _, p := range o.peers(at) {
			if p.Voter {
				voters = append(voters, p.Label)
			}
		}
		slices.Sort(voters)
		return slices.Equal(voters, machines)
	})
}

// joining is what the node of a machine says of its joining.
func (o *operations) joining(machine string) string {
	o.t.Helper()
	cmd := exec.CommandContext(o.t.Context(), "sh", "-c",
		o.here(o.at(machine)+"keyquorum operator status --format json", machine))
	cmd.Dir, cmd.Env = filepath.Join(o.dir, machine), o.env
	out, _ := cmd.Output() // exit code 2: it is sealed
	var status struct {
		Joining string `json:"joining"`
	}
	if err := json.Unmarshal(out, &status); err != nil {
		o.t.Fatalf("%v: %s", err, out)
	}
	return status.Joining
}

// TestMembersPage follows docs/members.md: nodes find their cluster, one that is dead is replaced
// and one that runs, by a command that is killed half-way, and one moves to another address.
func TestMembersPage(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("there is no openssl, with which the page makes certificates")
	}
	o := follow(t)
	nodes := map[string]*exec.Cmd{}
	o.prepare("a", "10.0.0.1")
	for _, machine := range []string{"b", "c"} {
		o.seeking(machine)
		nodes[machine] = o.serve(machine)
		if said := o.joining(machine); !strings.Contains(said, "retry_join (2)") {
			t.Errorf("%s, whose cluster does not run yet, says %q", machine, said)
		}
	}
	nodes["a"] = o.serve("a")
	shares := o.found()
	for _, machine := range []string{"b", "c"} {
		o.awaitFound(machine)
		o.unseal(machine, shares)
		if said := o.joining(machine); said != "" {
			t.Errorf("%s is a member, and says %q", machine, said)
		}
	}
	o.awaitVoters("a", "a", "b", "c")
	o.refuses("replace c https://10.0.0."+o.host["b"]+":8200", "", "is b (", "a member already",
		"--continue")
	o.awaitVoters("a", "a", "b", "c")

	_ = nodes["c"].Process.Kill() // and its machine is gone
	_ = nodes["c"].Wait()
	o.prepare("d", "10.0.0.4")
	nodes["d"] = o.serve("d")
	given := strings.Join(shares, "\n") + "\n"
	said := o.sh("a", o.page["members sh replace"][0], given)
	for _, want := range []string{"The new node votes.", "is removed, for ever", "Done."} {
		if !strings.Contains(said, want) {
			t.Errorf("replace does not say %q: %s", want, said)
		}
	}
	o.awaitVoters("a", "a", "b", "d")
	if said := o.sh("a", o.page["members sh replace"][0], ""); !strings.Contains(said,
		"c is no member any more") || !strings.Contains(said, "Done.") {
		t.Errorf("replace again says %s", said)
	}

	o.move("b", nodes, shares)
	o.replaceTwice(nodes, shares)
	o.replaceInPlace(nodes, shares)
	o.replaceNonVoter(nodes, shares)
}

// replaceNonVoter has a node that finds the cluster by itself, and was given a share, take the
// place of one without a vote.
func (o *operations) replaceNonVoter(nodes map[string]*exec.Cmd, shares []string) {
	o.t.Helper()
	_ = nodes["d"].Process.Kill()
	_ = nodes["d"].Wait()
	for _, machine := range []string{"c", "d"} {
		if err := os.RemoveAll(filepath.Join(o.dir, machine, "data")); err != nil {
			o.t.Fatal(err)
		}
	}
	o.prepare("c", "10.0.0."+o.host["c"])
	nodes["c"] = o.serve("c")
	o.sh("c", o.at("c")+"keyquorum operator raft join --non-voter https://10.0.0.1:8200 "+
		"--leader-ca-cert @/etc/keyquorum/ca.pem", "")
	o.unseal("c", shares)
	o.seeking("d")
	nodes["d"] = o.serve("d")
	o.awaitFound("d")
	o.sh("d", o.at("d")+"keyquorum operator unseal - || true", shares[0])
	o.sh("a", o.at("a")+"keyquorum operator raft replace c https://10.0.0."+o.host["d"]+":8200",
		strings.Join(shares[1:], "\n")+"\n")
	var autopilot struct {
		Servers map[string]struct {
			Demoted bool `json:"demoted"`
		} `json:"servers"`
	}
	said := o.sh("a", o.at("a")+"keyquorum operator raft autopilot state --format json", "")
	if err := json.Unmarshal([]byte(said), &autopilot); err != nil ||
		!autopilot.Servers[o.idAt("a", "d")].Demoted {
		o.t.Errorf("the new node would get a vote (%v): %s", err, said)
	}
	o.awaitVoters("a", "a", "b", "e")
}

// refuses has a command below operator raft say why it does not do what is asked.
func (o *operations) refuses(command, given string, says ...string) {
	o.t.Helper()
	said := o.sh("a", o.at("a")+"if keyquorum operator raft "+command+" 2>&1; then echo done; fi",
		given)
	said = strings.Join(strings.Fields(said), " ")
	for _, want := range append(says, "nothing was removed") {
		if !strings.Contains(said, want) {
			o.t.Errorf("%s does not say %q: %s", command, want, said)
		}
	}
}

// replaceInPlace has a node take the place of one that was at its address, and lost its disk.
func (o *operations) replaceInPlace(nodes map[string]*exec.Cmd, shares []string) {
	o.t.Helper()
	at := "https://10.0.0." + o.host["e"] + ":8200"
	o.sh("e", o.at("e")+"keyquorum operator seal", "")
	o.refuses("replace e "+at, "", "has its data and is e (")
	o.refuses("replace e "+at+" --continue", "", "has its data and is e (")
	_ = nodes["e"].Process.Kill()
	_ = nodes["e"].Wait()
	if err := os.RemoveAll(filepath.Join(o.dir, "e", "data")); err != nil {
		o.t.Fatal(err)
	}
	before := o.idAt("a", "e")
	nodes["e"] = o.serve("e")
	said := o.sh("a", o.at("a")+"keyquorum operator raft replace e "+at+" --format json",
		strings.Join(shares, "\n")+"\n")
	o.awaitVoters("e", "a", "b", "e")
	var answer struct {
		New string `json:"new_node_id"`
	}
	if err := json.Unmarshal([]byte(said), &answer); err != nil || answer.New == before ||
		answer.New != o.idAt("a", "e") {
		o.t.Errorf("node %s was replaced, and it says %s (%v)", before, said, err)
	}
}

// move gives a node another address, as the page does, while the others serve.
func (o *operations) move(machine string, nodes map[string]*exec.Cmd, shares []string) {
	o.t.Helper()
	var before peer
	for _, p := range o.peers("a") {
		if p.Label == machine {
			before = p
		}
	}
	_ = nodes[machine].Process.Signal(syscall.SIGTERM)
	if err := nodes[machine].Wait(); err != nil {
		o.t.Errorf("node %s ended with %v", machine, err)
	}
	o.host[machine] = "5"
	_, certificate, _ := strings.Cut(o.page["running sh openssl"][0], "\n\n")
	o.sh(machine, strings.ReplaceAll(certificate, "10.0.0.1", "10.0.0.5"), "")
	o.sh(machine, o.page["members sh move"][0], "")
	nodes[machine] = o.serve(machine)
	o.unseal(machine, shares)
	o.until("the others follow the node", func() bool {
		return slices.Contains(o.peers("a"), peer{before.ID, o.net + "5:8201", true, machine})
	})
	if said := o.sh("a", o.at("a")+"keyquorum vault create moved", ""); said == "" {
		o.t.Error("nothing is said of a vault that was made")
	}
	o.sh(machine, o.at(machine)+"keyquorum vault show moved", "")
}

// replaceTwice has a node that runs, and may lead, replaced by a command that is killed while the
// new node waits for its shares, and that is run again: before the new node is a member, and after.
func (o *operations) replaceTwice(nodes map[string]*exec.Cmd, shares []string) {
	o.t.Helper()
	o.prepare("e", "10.0.0."+o.host["e"])
	nodes["e"] = o.serve("e")
	replace := "replace d https://10.0.0." + o.host["e"] + ":8200 "
	command := o.at("a") + "exec keyquorum operator raft " + replace
	first := exec.Command("sh", "-c", o.here(command+"--shares-elsewhere --timeout 2m", "a"))
	first.Dir, first.Env = filepath.Join(o.dir, "a"), o.env
	out, err := first.StdoutPipe()
	if err != nil {
		o.t.Fatal(err)
	}
	if err := first.Start(); err != nil {
		o.t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for !strings.Contains(lines.Text(), "keyquorum operator unseal --address") {
		if !lines.Scan() {
			o.t.Fatal("without shares it does not say how to give them")
		}
	}
	o.awaitFound("e")
	o.sh("e", o.at("e")+"keyquorum operator unseal - || true", shares[0])
	_ = first.Process.Kill()
	_ = first.Wait()
	o.sh("a", strings.Replace(command, "exec ", "", 1)+"|| true",
		shares[1]+"\n") // it has no third one
	o.unseal("e", shares[2:])
	o.refuses(replace, "", "a member already", "the place of d (", "--continue")
	if said := o.sh("a", command+"--continue", ""); !strings.Contains(said,
		"is removed, for ever") {
		o.t.Errorf("the last call says %s", said)
	}
	o.awaitVoters("e", "a", "b", "e")
}

package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"go.yaml.in/yaml/v4"

	"keyquorum/internal/program"
)

// What examples/testing shows is tried as far as a machine can that has no container runtime.
const testingExamples = "../../examples/testing"

func example(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(testingExamples, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestCIScript runs ci.sh as a job does, and looks for what it leaves.
func TestCIScript(t *testing.T) {
	work, bin := t.TempDir(), t.TempDir()
	seen := filepath.Join(bin, "environment")
	// The program tells where the cluster's folder was, and is the example.
	wrapper := "#!/bin/sh\necho \"$KEYQUORUM_DEV_DIR\" >" + seen + "\nexec " + filepath.Join(built,
		"azure-app") + "\n"
	app := filepath.Join(bin, "azure-app")
	if err := os.WriteFile(app, []byte(wrapper), 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "examples/testing/ci.sh")
	cmd.Dir = "../.."
	cmd.Env = append(program.Environment(), "TMPDIR="+work, "AZURE_APP="+app,
		"KEYQUORUM="+absolute(t, filepath.Join(built, "keyquorum")))
	o := ended(t, cmd)
	t.Log(o.stdout)
	if o.code != 0 || !strings.Contains(o.stdout, "done: written") ||
		!strings.Contains(o.stdout, "db-password is there") {
		t.Errorf("exit code %d, %s%s", o.code, o.stdout, o.stderr)
	}
	for _, language := range []string{"JavaScript:\n", "Python:\n"} {
		_, after, _ := strings.Cut(o.stdout, language)
		if !strings.HasPrefix(after, "skipped: ") && !strings.HasPrefix(after, "hello, version ") {
			t.Errorf("%s neither ran nor said why not: %s", language, o.stdout)
		}
	}
	folder, err := os.ReadFile(seen)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(strings.TrimSpace(string(folder))); err == nil {
		t.Errorf("it left %s", folder)
	}
	if left, err := os.ReadDir(work); err != nil || len(left) != 0 {
		t.Errorf("it left %v (%v)", left, err)
	}
}

// instructions are those of the Dockerfile of one name.
func instructions(t *testing.T, name string) (all []string) {
	t.Helper()
	for line := range strings.Lines(example(t, "Dockerfile")) {
		if after, ok := strings.CutPrefix(line, name+" "); ok {
			all = append(all, strings.TrimSpace(after))
		}
	}
	if len(all) == 0 {
		t.Fatalf("the Dockerfile has no %s", name)
	}
	return all
}

func TestDockerfileBuilds(t *testing.T) {
	out := t.TempDir()
	for _, line := range instructions(t, "RUN") {
		cmd := exec.CommandContext(t.Context(), "sh", "-ec", strings.ReplaceAll(line, "/out/", out+"/"))
		cmd.Dir = "../.."
		if o := ended(t, cmd); o.code != 0 {
			t.Fatalf("%s: %s%s", line, o.stdout, o.stderr)
		}
	}
	for _, name := range []string{"keyquorum", "tmp", "shared"} {
		if _, err := os.Stat(filepath.Join(out, name)); err != nil {
			t.Error(err)
		}
	}
}

// composed is what compose.yaml says that is ours to check.
type composed struct {
	Services map[string]struct {
		Command     []string
		Volumes     []string
		Networks    map[string]struct{ Aliases []string }
		Healthcheck struct{ Test []string }
		DependsOn   map[string]struct{ Condition string } `yaml:"depends_on"`
	}
	Volumes map[string]any
}

// TestContainerStarts runs what the vault's container runs, with folders of ours in the place of
// its own, until its healthcheck is content.
func TestContainerStarts(t *testing.T) {
	var file composed
	if err := yaml.Unmarshal([]byte(example(t, "compose.yaml")), &file); err != nil {
		t.Fatal(err)
	}
	vault := file.Services["vault"]
	var entry []string
	if err := json.Unmarshal([]byte(instructions(t, "ENTRYPOINT")[0]), &entry); err != nil {
		t.Fatal(err)
	}
	shared, port := t.TempDir(), strconv.Itoa(freeBase(t))
	here := strings.NewReplacer("/shared/", shared+"/", "/seed.json",
		absolute(t, testingExamples+"/seed.json"),
		"--port=8200", "--port="+port, "--listen=0.0.0.0", "--listen=127.0.0.1")
	p := &passing{dir: t.TempDir(),
		environment: map[string]string{"KEYQUORUM_ADDR": "https://127.0.0.1:" + port}}
	healthy := func() bool {
		check := vault.Healthcheck.Test
		if len(check) < 3 || check[0] != "CMD" || check[1] != entry[0] {
			t.Fatalf("the healthcheck is %q", check)
		}
		return p.call(t, each(check[2:], here.Replace)...).code == 0
	}
	if healthy() {
		t.Error("it is healthy before it runs")
	}
	cmd := keyquorum(t.Context(), p.dir,
		each(slices.Concat(entry[1:], vault.Command), here.Replace)...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	awaitFile(t, filepath.Join(shared, "env"))
	if !healthy() {
		t.Error("it runs and is not healthy")
	}
	env, err := os.ReadFile(filepath.Join(shared, "env"))
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"SSL_CERT_FILE=" + shared + "/ca.pem", "//demo.vault.test:" + port,
		"//login.vault.test:" + port} {
		if !strings.Contains(string(env), part) {
			t.Errorf("the environment lacks %s:\n%s", part, env)
		}
	}
	_ = cmd.Process.Signal(syscall.SIGTERM)
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"demo.vault.test", "payments.vault.test", "login.vault.test"} {
		if !slices.Contains(vault.Networks["default"].Aliases, name) {
			t.Errorf("nobody finds %s", name)
		}
	}
	if file.Services["app"].DependsOn["vault"].Condition != "service_healthy" {
		t.Error("the application does not wait for the vault")
	}
}

func each(words []string, change func(string) string) (changed []string) {
	for _, w := range words {
		changed = append(changed, change(w))
	}
	return changed
}

// TestWorkflowCanBeRun has a shell parse each step, and the program each of its own commands.
func TestWorkflowCanBeRun(t *testing.T) {
	var file struct {
		Jobs map[string]struct {
			Steps []struct {
				Name, Run string
			}
		}
	}
	if err := yaml.Unmarshal([]byte(example(t, "workflow.yaml")), &file); err != nil {
		t.Fatal(err)
	}
	commands := 0
	for _, step := range file.Jobs["test"].Steps {
		if o := ended(t, exec.CommandContext(t.Context(), "sh", "-nc", step.Run)); o.code != 0 {
			t.Errorf("%s: %s", step.Name, o.stderr)
		}
		for line := range strings.Lines(step.Run) {
			if rest, ok := strings.CutPrefix(strings.TrimSpace(line), "bin/keyquorum "); ok {
				commands++
				words, _, _ := strings.Cut(rest, " >>")
				if o := call(t, t.TempDir(), append(strings.Fields(words), "--help")...); o.code != 0 {
					t.Errorf("%s: %s", line, o.stderr)
				}
			}
		}
	}
	if commands != 2 {
		t.Errorf("%d commands of ours were found", commands)
	}
}

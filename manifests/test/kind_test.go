package test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
)

const kindExample = "examples/kind"

// TestKindExampleFitsItsNamespace checks that all objects are in the namespace statefleet and conform to the profile
// restricted, which it enforces.
func TestKindExampleFitsItsNamespace(t *testing.T) {
	all := build(t, kindExample)
	if err := checkSubjects(all); err != nil {
		t.Error(err)
	}
	for _, object := range all {
		if in := accessor(t, object).GetNamespace(); in != "" && in != "statefleet" {
			t.Errorf("got %s in namespace %s, want statefleet", object.GetObjectKind().GroupVersionKind().Kind, in)
		}
	}
	if enforced := find[*corev1.Namespace](t, all, "statefleet").Labels["pod-security.kubernetes.io/enforce"]; enforced != "restricted" {
		t.Errorf("got enforced profile %q, want restricted", enforced)
	}
	p := find[*appsv1.Deployment](t, all, "prometheus").Spec.Template.Spec
	if !*p.SecurityContext.RunAsNonRoot || p.SecurityContext.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
		t.Errorf("pod of Prometheus: got %+v, want a non-root user and the seccomp profile RuntimeDefault", p.SecurityContext)
	}
	for _, c := range p.Containers {
		if *c.SecurityContext.AllowPrivilegeEscalation || fmt.Sprint(c.SecurityContext.Capabilities.Drop) != "[ALL]" {
			t.Errorf("container %s: got %+v, want neither privilege escalation nor capabilities", c.Name, c.SecurityContext)
		}
		if !regexp.MustCompile(`:v\d+\.\d+\.\d+$`).MatchString(c.Image) {
			t.Errorf("container %s: got image %s, want the tag of a release", c.Name, c.Image)
		}
	}
	rules := find[*rbacv1.Role](t, all, "prometheus").Rules
	if got := fmt.Sprint(rules); len(rules) != 1 || !strings.Contains(got, "[get list watch] [] [pods]") {
		t.Errorf("got rules %s of Prometheus, want get, list and watch of pods", got)
	}
}

// TestKindConfigurationIsMounted checks that the ConfigMap that "make kind" creates has the files in Prometheus'
// configuration, and that it is mounted at the path in the arguments.
func TestKindConfigurationIsMounted(t *testing.T) {
	config := readYAML[struct {
		ScrapeConfigFiles []string `json:"scrape_config_files"`
		RuleFiles         []string `json:"rule_files"`
	}](t, filepath.Join("..", kindExample, "prometheus.yml"))
	given := map[string]bool{}
	for _, match := range regexp.MustCompile(`--from-file=(\S+)`).FindAllStringSubmatch(readFile(t, "../../Makefile"), -1) {
		if _, err := os.Stat(filepath.Join("../..", match[1])); err != nil {
			t.Error(err)
		}
		given[filepath.Base(match[1])] = true
	}
	for _, name := range append(append(config.ScrapeConfigFiles, config.RuleFiles...), "prometheus.yml") {
		if !given[name] {
			t.Errorf("the ConfigMap has %v, want %s among them", given, name)
		}
	}
	if len(given) != 3 {
		t.Errorf("the ConfigMap has %v, want 3 files", given)
	}
	p := find[*appsv1.Deployment](t, build(t, kindExample), "prometheus").Spec.Template.Spec
	folder := p.Containers[0].VolumeMounts[0].MountPath
	if p.Volumes[0].ConfigMap.Name != "prometheus" || p.Containers[0].VolumeMounts[0].Name != p.Volumes[0].Name ||
		p.Containers[0].Args[0] != "--config.file="+folder+"/prometheus.yml" {
		t.Errorf("got arguments %q, and at %s the volume %+v; want the ConfigMap with the configuration",
			p.Containers[0].Args, folder, p.Volumes[0])
	}
}

// makeKind runs "make kind" with fake programs, whose scripts are given by name, and the real other programs that it
// needs. It returns the output, and the command lines of the fake programs.
func makeKind(t *testing.T, scripts map[string]string) (printed, called string, err error) {
	t.Helper()
	bin, calls := writeFakes(t, scripts)
	for _, name := range []string{"make", "sh", "git", "date", "sed", "grep", "go", "cat"} {
		path, err := exec.LookPath(name)
		if err != nil {
			t.Skip(err)
		}
		if err := os.Symlink(path, filepath.Join(bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	// MAKE builds the image. The test replaces it by a command that does nothing.
	cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "make"), "-C", "../..", "kind", "MAKE=:", "VERSION=v9.9.9")
	cmd.Env = append(os.Environ(), "PATH="+bin)
	out, err := cmd.CombinedOutput()
	return string(out), calls(), err
}

// writeFakes writes fake programs, whose scripts are given by name, to a folder. calls returns the command lines of
// those that were called.
func writeFakes(t *testing.T, scripts map[string]string) (folder string, calls func() string) {
	t.Helper()
	folder, log := t.TempDir(), filepath.Join(t.TempDir(), "log")
	for name, script := range scripts {
		text := fmt.Sprintf("#!/bin/sh\necho \"${0##*/} $*\" >> %s\n%s\n", log, script)
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return folder, func() string {
		called, _ := os.ReadFile(log) // the file is missing if no fake program was called
		return string(called)
	}
}

// fakePrograms returns scripts of fake programs that succeed. kubectl prints the manifests that it has to apply.
func fakePrograms() map[string]string {
	return map[string]string{
		"docker": "", "kind": "",
		"kubectl": `case "$*" in kustomize*) echo "image: statefleet:v0.1.0";; *"apply -f -") cat;; esac`,
	}
}

func TestMakeKindSaysWhatIsMissing(t *testing.T) {
	for _, c := range []struct{ without, instead, want string }{
		{without: "docker", want: "kind: not installed: docker;"},
		{without: "kind", want: "kind: not installed: kind;"},
		{without: "kubectl", want: "kind: not installed: kubectl;"},
		{without: "docker", instead: "exit 1", want: "kind: Docker does not answer"},
	} {
		programs := fakePrograms()
		delete(programs, c.without)
		if c.instead != "" {
			programs[c.without] = c.instead
		}
		printed, calls, err := makeKind(t, programs)
		if err == nil || !strings.Contains(printed, c.want) || strings.Contains(calls, "create") {
			t.Errorf("without %s: got error %v, calls %q, want %q and no cluster:\n%s", c.without, err, calls, c.want, printed)
		}
	}
}

func TestMakeKindInstallsTheImageThatItBuilds(t *testing.T) {
	printed, calls, err := makeKind(t, fakePrograms())
	if err != nil {
		t.Fatalf("%v\n%s", err, printed)
	}
	for _, want := range []string{
		"kind create cluster --name statefleet", "kind load image-archive dist/image/statefleet-v9.9.9.linux-",
		"kubectl kustomize manifests/examples/kind", "rollout status --namespace statefleet statefulset/statefleet",
	} {
		if !strings.Contains(calls, want) {
			t.Errorf("got calls without %q:\n%s", want, calls)
		}
	}
	if !strings.Contains(printed, "\nimage: statefleet:v9.9.9\n") {
		t.Errorf("the applied manifests do not have the built image:\n%s", printed)
	}
	for call := range strings.Lines(calls) {
		if strings.HasPrefix(call, "kubectl ") && !strings.HasPrefix(call, "kubectl kustomize ") &&
			!strings.HasPrefix(call, "kubectl --context kind-statefleet ") {
			t.Errorf("got call %q, want the context kind-statefleet in it", call)
		}
	}
}

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
	"sigs.k8s.io/yaml"
)

const kindExample = "examples/kind"

// TestKindExampleFitsItsNamespace: the namespace enforces the profile restricted, and all objects are in it.
func TestKindExampleFitsItsNamespace(t *testing.T) {
	all := build(t, kindExample)
	if err := checkSubjects(all); err != nil {
		t.Error(err)
	}
	for _, object := range all {
		if in := accessor(t, object).GetNamespace(); in != "" && in != "statefleet" {
			t.Errorf("%s is in %s", object.GetObjectKind().GroupVersionKind().Kind, in)
		}
	}
	if enforced := find[*corev1.Namespace](t, all, "statefleet").Labels["pod-security.kubernetes.io/enforce"]; enforced != "restricted" {
		t.Errorf("the namespace enforces %q", enforced)
	}
	p := find[*appsv1.Deployment](t, all, "prometheus").Spec.Template.Spec
	if !*p.SecurityContext.RunAsNonRoot || p.SecurityContext.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
		t.Errorf("the pod of Prometheus has %+v", p.SecurityContext)
	}
	for _, c := range p.Containers {
		if *c.SecurityContext.AllowPrivilegeEscalation || fmt.Sprint(c.SecurityContext.Capabilities.Drop) != "[ALL]" {
			t.Errorf("container %s has %+v", c.Name, c.SecurityContext)
		}
		if !regexp.MustCompile(`:v\d+\.\d+\.\d+$`).MatchString(c.Image) {
			t.Errorf("container %s has the image %s, whose tag may move", c.Name, c.Image)
		}
	}
	rules := find[*rbacv1.Role](t, all, "prometheus").Rules
	if got := fmt.Sprint(rules); len(rules) != 1 || !strings.Contains(got, "[get list watch] [] [pods]") {
		t.Errorf("Prometheus may %s", got)
	}
}

// TestKindConfigurationIsMounted: the files that Prometheus' configuration names are those of which "make kind" makes the
// ConfigMap, and the arguments name the file of the configuration.
func TestKindConfigurationIsMounted(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", kindExample, "prometheus.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var config struct {
		ScrapeConfigFiles []string `json:"scrape_config_files"`
		RuleFiles         []string `json:"rule_files"`
	}
	if err := yaml.Unmarshal(text, &config); err != nil {
		t.Fatal(err)
	}
	given := map[string]bool{}
	for _, match := range regexp.MustCompile(`--from-file=(\S+)`).FindAllStringSubmatch(makefile(t), -1) {
		if _, err := os.Stat(filepath.Join("../..", match[1])); err != nil {
			t.Error(err)
		}
		given[filepath.Base(match[1])] = true
	}
	for _, name := range append(append(config.ScrapeConfigFiles, config.RuleFiles...), "prometheus.yml") {
		if !given[name] {
			t.Errorf("%s is not in the ConfigMap, which has %v", name, given)
		}
	}
	if len(given) != 3 {
		t.Errorf("the ConfigMap has %v", given)
	}
	p := find[*appsv1.Deployment](t, build(t, kindExample), "prometheus").Spec.Template.Spec
	folder := p.Containers[0].VolumeMounts[0].MountPath
	if p.Volumes[0].ConfigMap.Name != "prometheus" || p.Containers[0].VolumeMounts[0].Name != p.Volumes[0].Name ||
		p.Containers[0].Args[0] != "--config.file="+folder+"/prometheus.yml" {
		t.Errorf("arguments %q, mounted at %s is %+v", p.Containers[0].Args, folder, p.Volumes[0])
	}
}

func makefile(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// makeKind runs "make kind" with stand-ins for programs, by their names and scripts, and with the other programs that it needs.
// It returns what was printed, and how the stand-ins were called.
func makeKind(t *testing.T, scripts map[string]string) (printed, calls string, err error) {
	t.Helper()
	bin, log := t.TempDir(), filepath.Join(t.TempDir(), "log")
	for _, name := range []string{"make", "sh", "git", "date", "sed", "grep", "go", "cat"} {
		path, err := exec.LookPath(name)
		if err != nil {
			t.Skip(err)
		}
		if err := os.Symlink(path, filepath.Join(bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	for name, script := range scripts {
		text := fmt.Sprintf("#!/bin/sh\necho \"${0##*/} $*\" >> %s\n%s\n", log, script)
		if err := os.WriteFile(filepath.Join(bin, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	// MAKE is what builds the image; here nothing does.
	cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "make"), "-C", "../..", "kind", "MAKE=:", "VERSION=v9.9.9")
	cmd.Env = append(os.Environ(), "PATH="+bin)
	out, err := cmd.CombinedOutput()
	called, _ := os.ReadFile(log) // it is not there if nothing was called
	return string(out), string(called), err
}

// kindWorks are stand-ins for programs that work. kubectl shows what it is to apply.
func kindWorks() map[string]string {
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
		programs := kindWorks()
		delete(programs, c.without)
		if c.instead != "" {
			programs[c.without] = c.instead
		}
		printed, calls, err := makeKind(t, programs)
		if err == nil || !strings.Contains(printed, c.want) || strings.Contains(calls, "create") {
			t.Errorf("without %s: %v, calls %q\n%s", c.without, err, calls, printed)
		}
	}
}

func TestMakeKindInstallsTheImageThatItBuilds(t *testing.T) {
	printed, calls, err := makeKind(t, kindWorks())
	if err != nil {
		t.Fatalf("%v\n%s", err, printed)
	}
	for _, want := range []string{
		"kind create cluster --name statefleet", "kind load image-archive dist/image/statefleet-v9.9.9.linux-",
		"kubectl kustomize manifests/examples/kind", "rollout status --namespace statefleet statefulset/statefleet",
	} {
		if !strings.Contains(calls, want) {
			t.Errorf("%q was not called:\n%s", want, calls)
		}
	}
	if !strings.Contains(printed, "\nimage: statefleet:v9.9.9\n") {
		t.Errorf("another image was applied:\n%s", printed)
	}
	for call := range strings.Lines(calls) {
		if strings.HasPrefix(call, "kubectl ") && !strings.HasPrefix(call, "kubectl kustomize ") &&
			!strings.HasPrefix(call, "kubectl --context kind-statefleet ") {
			t.Errorf("%q may reach another cluster", call)
		}
	}
}

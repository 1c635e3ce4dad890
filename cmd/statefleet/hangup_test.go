package main

import (
	"strings"
	"testing"
)

func TestHangupWithoutFilesAndWithoutChange(t *testing.T) {
	_, api := cluster(t)
	p := start(t, api, "--resources=jobs")
	hangUp(t)
	eventually(t, "a line in the log", func() bool { return strings.Contains(p.log.String(), "there is no configuration file to read again") })
	if strings.Contains(p.self(t), "config_reload") {
		t.Error("there are metrics of a configuration file without one")
	}
	p.end(t)

	p = start(t, api, written(t, "resources: [jobs]\nlog.level: debug\n"))
	p.page(t)
	hangUp(t)
	p.reloads(t, unchanged, 1)
	if strings.Count(p.log.String(), "msg=starting ") != 1 {
		t.Errorf("a replica was started for a file that is the same:\n%s", p.log.String())
	}
}

func TestShardIsThatOfEveryGeneration(t *testing.T) {
	_, api := cluster(t)
	flag := written(t, "resources: [jobs]\n")
	p := start(t, api, flag, "--shard=1", "--total-shards=2")
	half := p.page(t)
	writeFile(t, strings.TrimPrefix(flag, "--config="), "resources: [jobs, nodes]\nlog.level: error\n")
	hangUp(t)
	p.reloads(t, served, 1)
	both := p.page(t)
	if got, want := count(both, "kube_job_info{"), count(half, "kube_job_info{"); got != want || want == 0 {
		t.Errorf("%d jobs of the shard, %d before", got, want)
	}
	if nodes := count(both, "kube_node_info{"); nodes == 0 {
		t.Error("no nodes")
	}
	hangUp(t)
	p.reloads(t, unchanged, 1)
	if strings.Contains(p.log.String(), "the configuration is the one that is served") {
		t.Error("the level of the log did not change")
	}
}

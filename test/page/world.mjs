// A fleet of real statefleet processes on a simulated cluster, with a stand-in for the kubelet.
import {spawn} from "node:child_process";
import {mkdtemp, rm, writeFile} from "node:fs/promises";
import {tmpdir} from "node:os";
import {join} from "node:path";
import {setTimeout as sleep} from "node:timers/promises";
import {API} from "./api.mjs";

// until waits for something to become true, and returns it.
export async function until(what, ask) {
  for (const end = Date.now() + 60_000; Date.now() < end; await sleep(50)) {
    const found = await ask();
    if (found) return found;
  }
  throw new Error(`not in time: ${what}`);
}

// Program is a process whose output is kept.
export class Program {
  output = "";

  constructor(command, args) {
    this.child = spawn(command, args, {stdio: ["ignore", "pipe", "pipe"]});
    this.ended = new Promise(done => this.child.on("close", done));
    for (const stream of [this.child.stdout, this.child.stderr]) stream.on("data", text => { this.output += text; });
  }

  says(what, pattern) {
    return until(what, () => {
      if (this.child.exitCode !== null) throw new Error(`${what}: the process has ended:\n${this.output}`);
      return this.output.match(pattern);
    });
  }

  async stop() {
    this.child.kill("SIGTERM");
    await Promise.race([this.ended, sleep(10_000, null, {ref: false}).then(() => this.child.kill("SIGKILL"))]);
    await this.ended;
  }
}

export class World {
  replicas = [];

  async start() {
    this.folder = await mkdtemp(join(tmpdir(), "statefleet-page-"));
    this.cluster = new Program("../../bin/benchmarks", ["apisim", "--listen=127.0.0.1:0", "--pods=1500", "--seed=1", "--shard-selector",
      "--churn-jobs=5", "--churn-updates=40"]);
    const [, address] = await this.cluster.says("the simulated cluster", /Serving .* at (\S+)/);
    this.api = new API(address);
    this.kubeconfig = join(this.folder, "kubeconfig");
    await writeFile(this.kubeconfig, JSON.stringify({
      apiVersion: "v1", kind: "Config", "current-context": "page",
      clusters: [{name: "page", cluster: {server: await this.api.listen()}}],
      users: [{name: "page", user: {}}],
      contexts: [{name: "page", context: {cluster: "page", user: "page"}}],
    }));
    this.api.put("configmaps", {metadata: {name: "statefleet-topology"}, data: {}});
    this.scale(3);
    await Promise.all([0, 1, 2].map(ordinal => this.join(ordinal)));
  }

  // scale is what kubectl scale does; pods that this asks for are joined by the test.
  scale(replicas) {
    this.api.put("statefulsets", {metadata: {name: "statefleet"}, spec: {
      replicas, podManagementPolicy: "Parallel", selector: {matchLabels: {app: "statefleet"}},
    }});
  }

  // pod sets the condition Ready of a pod.
  pod(ordinal, ready) {
    this.api.put("pods", {
      metadata: {name: `statefleet-${ordinal}`, labels: {app: "statefleet"}, ownerReferences: [
        {apiVersion: "apps/v1", kind: "StatefulSet", name: "statefleet", uid: "uid-of-statefleet", controller: true}]},
      status: {podIP: `10.0.0.${ordinal}`, conditions: [{type: "Ready", status: ready ? "True" : "False"}]},
    });
  }

  // join runs the replica of a pod, and makes the pod ready when the replica is.
  async join(ordinal) {
    this.pod(ordinal, false);
    const program = new Program("../../bin/statefleet", [`--kubeconfig=${this.kubeconfig}`, `--pod=statefleet-${ordinal}`,
      "--pod-namespace=statefleet", "--drain-timeout=0s",
      "--host=127.0.0.1", "--port=0", "--telemetry-host=127.0.0.1", "--telemetry-port=0"]);
    this.replicas[ordinal] = program;
    const address = async server => (await program.says(server, new RegExp(`msg="Listening on" server=${server} address=(\\S+)`)))[1];
    program.page = `http://${await address("telemetry")}/`;
    program.main = `http://${await address("metrics")}/`;
    await until(`replica ${ordinal} is ready`, async () => (await fetch(program.main + "readyz")).ok);
    this.pod(ordinal, true);
  }

  // scrape does what Prometheus does.
  scrape() { return Promise.all(this.replicas.map(async r => (await fetch(r.main + "metrics")).text())); }

  async stop() {
    await Promise.all(this.replicas.map(r => r.stop()));
    this.api?.close();
    await this.cluster?.stop();
    await rm(this.folder, {recursive: true, force: true});
  }
}

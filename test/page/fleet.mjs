// A fleet of real statefleet processes on a simulated cluster. Pods become ready as with a kubelet.
import {spawn} from "node:child_process";
import {mkdtemp, rm, writeFile} from "node:fs/promises";
import {tmpdir} from "node:os";
import {join} from "node:path";
import {setTimeout as sleep} from "node:timers/promises";
import {API} from "./api.mjs";

// until waits until check returns a true value, and returns that value. The condition describes it in the error.
export async function until(condition, check) {
  for (const end = Date.now() + 60_000; Date.now() < end; await sleep(50)) {
    const value = await check();
    if (value) return value;
  }
  throw new Error(`not within a minute: ${condition}`);
}

// Program is a process. It keeps the output of the process.
export class Program {
  output = "";

  constructor(command, args) {
    this.child = spawn(command, args, {stdio: ["ignore", "pipe", "pipe"]});
    this.ended = new Promise(done => this.child.on("close", done));
    for (const stream of [this.child.stdout, this.child.stderr]) stream.on("data", text => { this.output += text; });
  }

  // waitForOutput waits until the output matches the pattern, and returns the match.
  waitForOutput(condition, pattern) {
    return until(condition, () => {
      if (this.child.exitCode !== null) throw new Error(`the process ended before ${condition}:\n${this.output}`);
      return this.output.match(pattern);
    });
  }

  async stop() {
    this.child.kill("SIGTERM");
    await Promise.race([this.ended, sleep(10_000, null, {ref: false}).then(() => this.child.kill("SIGKILL"))]);
    await this.ended;
  }
}

export class Fleet {
  replicas = [];

  async start() {
    this.folder = await mkdtemp(join(tmpdir(), "statefleet-page-"));
    this.cluster = new Program("../../bin/benchmarks", ["apisim", "--listen=127.0.0.1:0", "--pods=1500", "--seed=1", "--shard-selector",
      "--churn-jobs=5", "--churn-updates=40"]);
    const [, address] = await this.cluster.waitForOutput("the simulated cluster serves", /Serving .* at (\S+)/);
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
    await Promise.all([0, 1, 2].map(ordinal => this.startReplica(ordinal)));
  }

  // scale sets the number of replicas, as kubectl scale does. The test starts the new replicas.
  scale(replicas) {
    this.api.put("statefulsets", {metadata: {name: "statefleet"}, spec: {
      replicas, podManagementPolicy: "Parallel", selector: {matchLabels: {app: "statefleet"}},
    }});
  }

  // setReady sets the condition Ready of a pod. It creates the pod if it does not exist.
  setReady(ordinal, ready) {
    this.api.put("pods", {
      metadata: {name: `statefleet-${ordinal}`, labels: {app: "statefleet"}, ownerReferences: [
        {apiVersion: "apps/v1", kind: "StatefulSet", name: "statefleet", uid: "uid-of-statefleet", controller: true}]},
      status: {podIP: `10.0.0.${ordinal}`, conditions: [{type: "Ready", status: ready ? "True" : "False"}]},
    });
  }

  // startReplica starts the replica of a pod, and makes the pod ready when the replica is ready.
  async startReplica(ordinal) {
    this.setReady(ordinal, false);
    const program = new Program("../../bin/statefleet", [`--kubeconfig=${this.kubeconfig}`, `--pod=statefleet-${ordinal}`,
      "--pod-namespace=statefleet", "--drain-timeout=0s",
      "--host=127.0.0.1", "--port=0", "--telemetry-host=127.0.0.1", "--telemetry-port=0"]);
    this.replicas[ordinal] = program;
    const address = async server => (await program.waitForOutput(`the ${server} server listens`,
      new RegExp(`msg="Listening on" server=${server} address=(\\S+)`)))[1];
    program.telemetryURL = `http://${await address("telemetry")}/`;
    program.metricsURL = `http://${await address("metrics")}/`;
    await until(`replica ${ordinal} is ready`, async () => (await fetch(program.metricsURL + "readyz")).ok);
    this.setReady(ordinal, true);
  }

  // scrape scrapes all replicas, as Prometheus does.
  scrape() { return Promise.all(this.replicas.map(async r => (await fetch(r.metricsURL + "metrics")).text())); }

  async stop() {
    await Promise.all(this.replicas.map(r => r.stop()));
    this.api?.close();
    await this.cluster?.stop();
    await rm(this.folder, {recursive: true, force: true});
  }
}

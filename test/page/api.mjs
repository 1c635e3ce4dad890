// A part of an API server that can be written: the objects that a fleet agrees in, which the simulated cluster does not have.
// What is not about them goes on to the simulated cluster.
import http from "node:http";
import {decodeConfigMap} from "./protobuf.mjs";

const base = "/namespaces/statefleet/";
const kinds = {
  configmaps: {path: `/api/v1${base}configmaps`, apiVersion: "v1", kind: "ConfigMap"},
  pods: {path: `/api/v1${base}pods`, apiVersion: "v1", kind: "Pod"},
  statefulsets: {path: `/apis/apps/v1${base}statefulsets`, apiVersion: "apps/v1", kind: "StatefulSet"},
};

export class API {
  #objects = new Map(); // resource/name to object
  #events = []; // all there ever were
  #watches = new Set();
  #version = 1;

  constructor(upstream) {
    this.upstream = new URL(upstream);
    this.server = http.createServer((request, answer) => this.#serve(request, answer).catch(err => {
      answer.writeHead(500).end(String(err.stack));
    }));
  }

  async listen() {
    await new Promise(done => this.server.listen(0, "127.0.0.1", done));
    return `http://127.0.0.1:${this.server.address().port}`;
  }

  close() {
    this.server.closeAllConnections();
    this.server.close();
  }

  // put adds an object or replaces it, as its controller would.
  put(resource, object) {
    const {apiVersion, kind} = kinds[resource];
    const key = `${resource}/${object.metadata.name}`;
    const known = this.#objects.get(key);
    this.#version++;
    const next = {apiVersion, kind, ...object, metadata: {
      namespace: "statefleet", uid: `uid-of-${object.metadata.name}`, ...object.metadata,
      resourceVersion: String(this.#version), generation: (known?.metadata.generation ?? 0) + 1,
    }};
    this.#objects.set(key, next);
    this.#events.push({resource, version: this.#version, event: {type: known ? "MODIFIED" : "ADDED", object: next}});
    for (const watch of this.#watches) watch();
    return next;
  }

  get(resource, name) { return this.#objects.get(`${resource}/${name}`); }

  async #serve(request, answer) {
    const url = new URL(request.url, "http://localhost");
    const found = Object.entries(kinds).find(([, k]) => url.pathname === k.path || url.pathname.startsWith(k.path + "/"));
    if (!found) return this.#pass(request, answer);
    const [resource, {path}] = found;
    const name = url.pathname.slice(path.length + 1);
    if (!name && url.searchParams.get("watch")) return this.#watch(answer, resource, Number(url.searchParams.get("resourceVersion")));
    if (!name) return this.#list(answer, resource);
    const object = this.get(resource, name);
    if (!object) return this.#refuse(answer, 404, "NotFound");
    if (request.method === "GET") return this.#reply(answer, 200, object);
    const parts = [];
    for await (const part of request) parts.push(part);
    const body = Buffer.concat(parts);
    if (request.method === "PATCH") { // only ever of data
      const data = {...object.data, ...JSON.parse(body).data};
      return this.#reply(answer, 200, Object.keys(JSON.parse(body)).length ? this.put(resource, {...object, data}) : object);
    }
    const next = decodeConfigMap(body);
    if (next.resourceVersion !== object.metadata.resourceVersion) return this.#refuse(answer, 409, "Conflict");
    return this.#reply(answer, 200, this.put(resource, {...object, data: next.data}));
  }

  #pass(request, answer) {
    const {hostname, port} = this.upstream;
    const up = http.request({hostname, port, path: request.url, method: request.method, headers: request.headers}, from => {
      answer.writeHead(from.statusCode, from.headers);
      answer.flushHeaders();
      from.pipe(answer);
    });
    up.on("error", () => answer.destroy());
    answer.on("close", () => up.destroy());
    request.pipe(up);
  }

  #reply(answer, status, object) {
    answer.writeHead(status, {"Content-Type": "application/json"}).end(JSON.stringify(object));
  }

  #refuse(answer, code, reason) {
    this.#reply(answer, code, {kind: "Status", apiVersion: "v1", status: "Failure", reason, code});
  }

  #list(answer, resource) {
    const {apiVersion, kind} = kinds[resource];
    const items = [...this.#objects].filter(([key]) => key.startsWith(resource + "/")).map(([, object]) => object);
    this.#reply(answer, 200, {apiVersion, kind: kind + "List", metadata: {resourceVersion: String(this.#version)}, items});
  }

  #watch(answer, resource, since) {
    let next = this.#events.findIndex(e => e.version > since);
    if (next < 0) next = this.#events.length;
    const send = () => {
      for (; next < this.#events.length; next++) {
        const {resource: of, event} = this.#events[next];
        if (of === resource) answer.write(JSON.stringify(event) + "\n");
      }
    };
    answer.writeHead(200, {"Content-Type": "application/json"}).flushHeaders();
    this.#watches.add(send);
    answer.on("close", () => this.#watches.delete(send));
    send();
  }
}

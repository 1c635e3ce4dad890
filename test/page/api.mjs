// A part of an API server that accepts writes: it has the objects through which a fleet coordinates, which the simulated
// cluster lacks. It forwards all other requests to the simulated cluster.
import http from "node:http";
import {decodeConfigMap} from "./protobuf.mjs";

const base = "/namespaces/statefleet/";
const kinds = {
  configmaps: {path: `/api/v1${base}configmaps`, apiVersion: "v1", kind: "ConfigMap"},
  pods: {path: `/api/v1${base}pods`, apiVersion: "v1", kind: "Pod"},
  statefulsets: {path: `/apis/apps/v1${base}statefulsets`, apiVersion: "apps/v1", kind: "StatefulSet"},
};

export class API {
  #objects = new Map(); // by resource/name
  #events = []; // all events since the start
  #watches = new Set(); // functions that send new events
  #version = 1;

  constructor(upstream) {
    this.upstream = new URL(upstream);
    this.server = http.createServer((request, response) => this.#serve(request, response).catch(err => {
      response.writeHead(500).end(String(err.stack));
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

  // put adds or replaces an object, as its controller would.
  put(resource, object) {
    const {apiVersion, kind} = kinds[resource];
    const key = `${resource}/${object.metadata.name}`;
    const previous = this.#objects.get(key);
    this.#version++;
    const next = {apiVersion, kind, ...object, metadata: {
      namespace: "statefleet", uid: `uid-of-${object.metadata.name}`, ...object.metadata,
      resourceVersion: String(this.#version), generation: (previous?.metadata.generation ?? 0) + 1,
    }};
    this.#objects.set(key, next);
    this.#events.push({resource, version: this.#version, event: {type: previous ? "MODIFIED" : "ADDED", object: next}});
    for (const send of this.#watches) send();
    return next;
  }

  get(resource, name) { return this.#objects.get(`${resource}/${name}`); }

  async #serve(request, response) {
    const url = new URL(request.url, "http://localhost");
    const match = Object.entries(kinds).find(([, k]) => url.pathname === k.path || url.pathname.startsWith(k.path + "/"));
    if (!match) return this.#forward(request, response);
    const [resource, {path}] = match;
    const name = url.pathname.slice(path.length + 1);
    if (!name && url.searchParams.get("watch")) return this.#watch(response, resource, Number(url.searchParams.get("resourceVersion")));
    if (!name) return this.#list(response, resource);
    const object = this.get(resource, name);
    if (!object) return this.#replyError(response, 404, "NotFound");
    if (request.method === "GET") return this.#reply(response, 200, object);
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    if (request.method === "PATCH") { // replicas patch only the data
      const data = {...object.data, ...JSON.parse(body).data};
      return this.#reply(response, 200, Object.keys(JSON.parse(body)).length ? this.put(resource, {...object, data}) : object);
    }
    const next = decodeConfigMap(body);
    if (next.resourceVersion !== object.metadata.resourceVersion) return this.#replyError(response, 409, "Conflict");
    return this.#reply(response, 200, this.put(resource, {...object, data: next.data}));
  }

  #forward(request, response) {
    const {hostname, port} = this.upstream;
    const {url: path, method, headers} = request;
    const forwarded = http.request({hostname, port, path, method, headers}, received => {
      response.writeHead(received.statusCode, received.headers);
      response.flushHeaders();
      received.pipe(response);
    });
    forwarded.on("error", () => response.destroy());
    response.on("close", () => forwarded.destroy());
    request.pipe(forwarded);
  }

  #reply(response, status, object) {
    response.writeHead(status, {"Content-Type": "application/json"}).end(JSON.stringify(object));
  }

  #replyError(response, code, reason) {
    this.#reply(response, code, {kind: "Status", apiVersion: "v1", status: "Failure", reason, code});
  }

  #list(response, resource) {
    const {apiVersion, kind} = kinds[resource];
    const items = [...this.#objects].filter(([key]) => key.startsWith(resource + "/")).map(([, object]) => object);
    this.#reply(response, 200, {apiVersion, kind: kind + "List", metadata: {resourceVersion: String(this.#version)}, items});
  }

  #watch(response, resource, since) {
    let next = this.#events.findIndex(e => e.version > since);
    if (next < 0) next = this.#events.length;
    const send = () => {
      for (; next < this.#events.length; next++) {
        const {resource: of, event} = this.#events[next];
        if (of === resource) response.write(JSON.stringify(event) + "\n");
      }
    };
    response.writeHead(200, {"Content-Type": "application/json"}).flushHeaders();
    this.#watches.add(send);
    response.on("close", () => this.#watches.delete(send));
    send();
  }
}

// Tests the status page in Chromium. Three replicas run on a simulated cluster that changes all the time.
// IMAGES names the folder for the screenshots.
import assert from "node:assert/strict";
import {after, before, test} from "node:test";
import {mkdir, mkdtemp, rm} from "node:fs/promises";
import {tmpdir} from "node:os";
import {join} from "node:path";
import {chromium} from "playwright-core";
import {contrasts} from "./contrast.mjs";
import {Fleet, until} from "./fleet.mjs";

const images = process.env.IMAGES ?? "../../bin/images";
const fleet = new Fleet();
const problems = []; // of all pages: errors and warnings on the console, failed requests, requests to other servers
let context, profile;

before(async () => {
  await mkdir(images, {recursive: true});
  profile = await mkdtemp(join(tmpdir(), "statefleet-chromium-"));
  await fleet.start();
  context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync"],
    viewport: {width: 1180, height: 900},
  });
});

after(async () => {
  await context?.close();
  await fleet.stop();
  await rm(profile, {recursive: true, force: true});
});

// open opens the status page of a replica.
async function open(ordinal, {scheme = "light", width = 1180, height = 900} = {}) {
  const page = await context.newPage();
  await page.setViewportSize({width, height});
  await page.emulateMedia({colorScheme: scheme});
  page.on("console", message => { if (["error", "warning"].includes(message.type())) problems.push(message.text()); });
  page.on("pageerror", err => problems.push(String(err)));
  page.on("request", request => {
    const {telemetryURL} = fleet.replicas[ordinal];
    if (!request.url().startsWith(telemetryURL)) problems.push(`request to another server: ${request.url()}`);
  });
  page.on("requestfailed", request => problems.push(`request for ${request.url()} failed: ${request.failure().errorText}`));
  const response = await page.goto(fleet.replicas[ordinal].telemetryURL);
  assert.equal(response.status(), 200);
  return page;
}

const screenshot = (part, name) => part.screenshot({path: join(images, name + ".png")});
const text = page => page.locator("main").innerText();
const shows = (page, pattern) => until(`the page shows ${pattern}`, async () => pattern.test(await text(page)));

// seriesCounted waits until all replicas have counted their series.
const seriesCounted = () => Promise.all(fleet.replicas.map(r => until("the replica has counted its series", async () =>
  (await (await fetch(r.telemetryURL + "-/fleet")).json()).cardinality?.all.series > 0)));

test("the page shows three replicas and their hash ranges", async () => {
  const page = await open(1);
  await shows(page, /3 shards\./);
  await shows(page, /This replica is ready and serves its shard/);
  assert.deepEqual(await page.locator(".replicas tbody th").allInnerTexts(), ["statefleet-0", "statefleet-1 this one", "statefleet-2"]);
  assert.equal(await page.locator(".replicas .state.well").count(), 3, "pods that are ready");
  assert.equal(await page.locator(".replicas .ring path").count(), 3);
  assert.match(await page.locator(".replicas a", {hasText: "statefleet-2"}).getAttribute("href"), /^http:\/\/10\.0\.0\.2:\d+\/$/);
  assert.match(await text(page), /ConfigMap statefleet-topology: last update \d+ s ago/);
  assert.equal(await page.locator(".kinds tbody th", {hasText: /^pods$/}).count(), 1);
  await page.close();
});

test("numbers are updated in place while objects change", async () => {
  await fleet.scrape();
  await seriesCounted();
  const page = await open(0);
  await page.evaluate(() => { window.untouched = document.querySelector(".kinds tbody th"); });
  const cells = () => page.locator(".kinds tbody tr").first().locator("td").allInnerTexts();
  const oldCells = await cells(), oldTime = await page.locator("main time").innerText();
  await until("objects and text of the first kind change", async () => {
    const newCells = await cells();
    return newCells[1] !== oldCells[1] && newCells[3] !== oldCells[3];
  });
  assert.notEqual(await page.locator("main time").innerText(), oldTime);
  assert.ok(await page.evaluate(() => window.untouched.isConnected), "the row was replaced, or the page was reloaded");
  assert.match(await page.locator("#live").innerText(), /Updated every/);
  assert.match(await text(page), /Last scrape\s+[\d.]+ m?s/);
  await page.close();
});

test("the page is complete without JavaScript", async () => {
  const html = await (await fetch(fleet.replicas[0].telemetryURL)).text();
  for (const want of ["statefleet-0", "statefleet-2", "kube_pod_", "kube-system", "no findings", "Reload the page to update it"]) {
    assert.ok(html.includes(want), `the HTML of the page lacks ${want}`);
  }
});

test("light and dark colours, 1180 and 360 pixels wide", async () => {
  const backgrounds = new Set();
  for (const scheme of ["light", "dark"]) {
    for (const width of [1180, 360]) {
      const page = await open(0, {scheme, width, height: width > 400 ? 900 : 740});
      backgrounds.add(await page.evaluate(() => getComputedStyle(document.body).backgroundColor));
      const widest = () => page.evaluate(() => document.documentElement.scrollWidth);
      assert.equal(await widest(), width, `${scheme}, ${width}: the page is wider than the window`);
      assert.deepEqual(await page.evaluate(contrasts), [], `${scheme}, ${width}: texts have too little contrast`);
      if (width > 400 && scheme === "light") {
        await screenshot(page, "status-page");
        await screenshot(page.locator("section", {has: page.locator("#cardinality")}), "status-page-cardinality");
      }
      if (width === 360 && scheme === "dark") await screenshot(page, "status-page-phone");
      await page.evaluate(() => { for (const name of document.querySelectorAll("tbody th, h1 b")) (name.querySelector("a") ?? name).firstChild.data = "x".repeat(200); });
      assert.equal(await widest(), width, `${scheme}, ${width}: the page with long names is wider than the window`);
      await page.close();
    }
  }
  assert.equal(backgrounds.size, 2, "number of backgrounds of the two colour schemes");
});

test("the page reports a replica that is not ready", async () => {
  const page = await open(0);
  fleet.setReady(1, false);
  await shows(page, /problem\s+No replica serves shard 1: pod statefleet-1 is not ready\./);
  fleet.setReady(1, true);
  await shows(page, /no findings/);
  await page.close();
});

test("the page shows a transition from three to five shards", async () => {
  const page = await open(0);
  fleet.scale(5);
  await shows(page, /Transition from 3 to 5 shards, started \d+ s ago\. Waiting for replicas 3, 4; pod statefleet-3 is absent\./);
  await shows(page, /statefleet-4\s+absent/);
  assert.equal(await page.locator(".replicas .ring").count(), 10);
  assert.equal(await page.locator(".replicas .state", {hasText: /^held$/}).count(), 3);
  for (const scheme of ["light", "dark"]) {
    await page.emulateMedia({colorScheme: scheme});
    assert.deepEqual(await page.evaluate(contrasts), []);
    await screenshot(page, `status-page-change-${scheme}`);
  }
  await Promise.all([fleet.startReplica(3), fleet.startReplica(4)]);
  await shows(page, /5 shards\./);
  await shows(page, /1 completed/);
  await until("five pods are ready", async () => await page.locator(".replicas .state.well").count() === 5);
  await shows(page, /no findings/);
  await page.close();
});

test("no page has errors or warnings, or sends requests to other servers", () => assert.deepEqual(problems, []));

test("the page reports that its replica does not respond", async () => {
  const page = await open(4);
  await fleet.replicas[4].stop();
  await until("the page reports that it is not updated", async () =>
    /Not updated since [\d:]+ UTC/.test(await page.locator("#live").innerText()));
  assert.match(await text(page), /statefleet-4/, "the page keeps the last status");
  await page.close();
});

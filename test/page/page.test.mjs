// The status page in Chromium: three replicas on a simulated cluster that changes all the time.
// IMAGES names the folder that takes the screenshots.
import assert from "node:assert/strict";
import {after, before, test} from "node:test";
import {mkdir, mkdtemp, rm} from "node:fs/promises";
import {tmpdir} from "node:os";
import {join} from "node:path";
import {chromium} from "playwright-core";
import {contrasts} from "./contrast.mjs";
import {until, World} from "./world.mjs";

const images = process.env.IMAGES ?? "../../bin/images";
const world = new World();
const complaints = []; // of all pages: errors on the console, requests that fail or leave this machine
let context, profile;

before(async () => {
  await mkdir(images, {recursive: true});
  profile = await mkdtemp(join(tmpdir(), "statefleet-chromium-"));
  await world.start();
  context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync"],
    viewport: {width: 1180, height: 900},
  });
});

after(async () => {
  await context?.close();
  await world.stop();
  await rm(profile, {recursive: true, force: true});
});

// open loads the page of a replica.
async function open(ordinal, {scheme = "light", width = 1180, height = 900} = {}) {
  const page = await context.newPage();
  await page.setViewportSize({width, height});
  await page.emulateMedia({colorScheme: scheme});
  page.on("console", message => { if (["error", "warning"].includes(message.type())) complaints.push(message.text()); });
  page.on("pageerror", err => complaints.push(String(err)));
  page.on("request", request => {
    if (!request.url().startsWith(world.replicas[ordinal].page)) complaints.push(`request for ${request.url()}`);
  });
  page.on("requestfailed", request => complaints.push(`no answer for ${request.url()}: ${request.failure().errorText}`));
  const answer = await page.goto(world.replicas[ordinal].page);
  assert.equal(answer.status(), 200);
  return page;
}

const shoot = (part, name) => part.screenshot({path: join(images, name + ".png")});
const text = page => page.locator("main").innerText();
const shows = (page, pattern) => until(`the page shows ${pattern}`, async () => pattern.test(await text(page)));

// counted waits until all replicas have counted their series.
const counted = () => Promise.all(world.replicas.map(r => until("a count of series", async () =>
  (await (await fetch(r.page + "-/fleet")).json()).cardinality?.all.series > 0)));

test("three shards, and what each owns", async () => {
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

test("numbers change in place while objects come and go", async () => {
  await world.scrape();
  await counted();
  const page = await open(0);
  await page.evaluate(() => { window.untouched = document.querySelector(".kinds tbody th"); });
  const cells = () => page.locator(".kinds tbody tr").first().locator("td").allInnerTexts();
  const was = await cells(), clock = await page.locator("main time").innerText();
  await until("other numbers", async () => {
    const now = await cells();
    return now[1] !== was[1] && now[3] !== was[3];
  });
  assert.notEqual(await page.locator("main time").innerText(), clock);
  assert.ok(await page.evaluate(() => window.untouched.isConnected), "the row was replaced, or the page loaded again");
  assert.match(await page.locator("#live").innerText(), /Updated every/);
  assert.match(await text(page), /Last scrape\s+[\d.]+ m?s/);
  await page.close();
});

test("complete without JavaScript", async () => {
  const answer = await (await fetch(world.replicas[0].page)).text();
  for (const want of ["statefleet-0", "statefleet-2", "kube_pod_", "kube-system", "no findings", "Reload the page to update it"]) {
    assert.ok(answer.includes(want), `${want} is not in the page as it arrives`);
  }
});

test("light and dark, wide and 360 pixels", async () => {
  const papers = new Set();
  for (const scheme of ["light", "dark"]) {
    for (const width of [1180, 360]) {
      const page = await open(0, {scheme, width, height: width > 400 ? 900 : 740});
      papers.add(await page.evaluate(() => getComputedStyle(document.body).backgroundColor));
      const widest = () => page.evaluate(() => document.documentElement.scrollWidth);
      assert.equal(await widest(), width, `${scheme}: it scrolls sideways`);
      assert.deepEqual(await page.evaluate(contrasts), [], `${scheme}, ${width}: weak contrast`);
      if (width > 400 && scheme === "light") {
        await shoot(page, "status-page");
        await shoot(page.locator("section", {has: page.locator("#cardinality")}), "status-page-cardinality");
      }
      if (width === 360 && scheme === "dark") await shoot(page, "status-page-phone");
      await page.evaluate(() => { for (const name of document.querySelectorAll("tbody th, h1 b")) (name.querySelector("a") ?? name).firstChild.data = "x".repeat(200); });
      assert.equal(await widest(), width, `${scheme}: it scrolls sideways with long names`);
      await page.close();
    }
  }
  assert.equal(papers.size, 2, "dark looks as light");
});

test("a replica that is away is seen", async () => {
  const page = await open(0);
  world.pod(1, false);
  await shows(page, /problem\s+No replica serves shard 1: pod statefleet-1 is not ready\./);
  world.pod(1, true);
  await shows(page, /no findings/);
  await page.close();
});

test("a change of the number of shards", async () => {
  const page = await open(0);
  world.scale(5);
  await shows(page, /Transition from 3 to 5 shards, started \d+ s ago\. Waiting for replicas 3, 4; pod statefleet-3 is absent\./);
  await shows(page, /statefleet-4\s+absent/);
  assert.equal(await page.locator(".replicas .ring").count(), 10);
  assert.equal(await page.locator(".replicas .state", {hasText: /^held$/}).count(), 3);
  for (const scheme of ["light", "dark"]) {
    await page.emulateMedia({colorScheme: scheme});
    assert.deepEqual(await page.evaluate(contrasts), []);
    await shoot(page, `status-page-change-${scheme}`);
  }
  await Promise.all([world.join(3), world.join(4)]);
  await shows(page, /5 shards\./);
  await shows(page, /1 completed/);
  await until("five pods are ready", async () => await page.locator(".replicas .state.well").count() === 5);
  await shows(page, /no findings/);
  await page.close();
});

test("nothing complains, and nothing leaves the machine", () => assert.deepEqual(complaints, []));

test("a replica that does not answer any more is said to be so", async () => {
  const page = await open(4);
  await world.replicas[4].stop();
  await until("a word about it", async () => /Not updated since [\d:]+ UTC/.test(await page.locator("#live").innerText()));
  assert.match(await text(page), /statefleet-4/, "what was known stays");
  await page.close();
});

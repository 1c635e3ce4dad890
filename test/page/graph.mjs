// Takes the picture of the demo's graphs in Prometheus: the fleet is scaled on the page from three replicas to five, and back.
// IMAGES names the folder that takes it.
import {mkdir, mkdtemp, rm} from "node:fs/promises";
import {tmpdir} from "node:os";
import {join} from "node:path";
import {setTimeout as sleep} from "node:timers/promises";
import {chromium} from "playwright-core";
import {Program, until} from "./world.mjs";

const images = process.env.IMAGES ?? "../../bin/images";
const steady = 45_000; // before, between and after the changes
const demo = new Program("../../bin/demo", ["demo", "--binary=../../bin/statefleet", "--port=0", "--graph-port=18071", "--pods=1000",
  "--jobs-per-second=1", "--further-shards=0", "--every=1h"]);
const profile = await mkdtemp(join(tmpdir(), "statefleet-chromium-"));
let context;
try {
  await mkdir(images, {recursive: true});
  const [, address] = await demo.says("the address of the graphs", /Graphs in Prometheus: +(\S+)/);
  await demo.says("all shards are ready", /All shards are ready/);
  await sleep(20_000); // the first jobs end, and their number is steady from then on
  context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"],
    viewport: {width: 1000, height: 900}, colorScheme: "light",
  });
  const page = await context.newPage();
  const complaints = [];
  page.on("console", message => { if (["error", "warning"].includes(message.type())) complaints.push(message.text()); });
  page.on("pageerror", err => complaints.push(String(err)));
  await page.goto(address);
  const shards = () => page.locator("section", {hasText: "By how many shards"}).locator("tbody td").first().innerText();
  for (const replicas of ["5", "3"]) {
    await sleep(steady);
    await page.locator("[name=replicas]").fill(replicas);
    await page.getByRole("button", {name: "Scale"}).click();
    await until(`${replicas} shards`, async () => await shards() === replicas);
  }
  await sleep(steady);
  await page.locator("[name=range]").selectOption("2m");
  await page.getByRole("button", {name: "Show"}).click();
  await page.locator("section svg[role=img]").nth(2).waitFor();
  await page.screenshot({fullPage: true, path: join(images, "demo-graph.png")});
  if (complaints.length > 0) throw new Error(complaints.join("\n"));
} finally {
  await context?.close();
  await demo.stop();
  await rm(profile, {recursive: true, force: true});
}

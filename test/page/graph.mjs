// Takes the screenshot of the demo's graphs in Prometheus while the page scales the fleet from three replicas to five and back.
// IMAGES names the folder for the screenshot.
import {mkdir, mkdtemp, rm} from "node:fs/promises";
import {tmpdir} from "node:os";
import {join} from "node:path";
import {setTimeout as sleep} from "node:timers/promises";
import {chromium} from "playwright-core";
import {Program, until} from "./fleet.mjs";

const images = process.env.IMAGES ?? "../../bin/images";
const pause = 45_000; // ms before, between and after the changes
const demo = new Program("../../bin/demo", ["demo", "--binary=../../bin/statefleet", "--port=0", "--graph-port=18071", "--pods=1000",
  "--jobs-per-second=1", "--further-shards=0", "--every=1h"]);
const profile = await mkdtemp(join(tmpdir(), "statefleet-chromium-"));
let context;
try {
  await mkdir(images, {recursive: true});
  const [, address] = await demo.waitForOutput("the demo prints the address of the graphs", /Graphs in Prometheus: +(\S+)/);
  await demo.waitForOutput("all shards are ready", /All shards are ready/);
  await sleep(20_000); // when the first jobs have ended, the number of jobs stays constant
  context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"],
    viewport: {width: 1000, height: 900}, colorScheme: "light",
  });
  const page = await context.newPage();
  const problems = [];
  page.on("console", message => { if (["error", "warning"].includes(message.type())) problems.push(message.text()); });
  page.on("pageerror", err => problems.push(String(err)));
  await page.goto(address);
  const shards = () => page.locator("section", {hasText: "By how many shards"}).locator("tbody td").first().innerText();
  for (const replicas of ["5", "3"]) {
    await sleep(pause);
    await page.locator("[name=replicas]").fill(replicas);
    await page.getByRole("button", {name: "Scale"}).click();
    await until(`the page shows ${replicas} shards`, async () => await shards() === replicas);
  }
  await sleep(pause);
  await page.locator("[name=range]").selectOption("2m");
  await page.getByRole("button", {name: "Show"}).click();
  await page.locator("section svg[role=img]").nth(2).waitFor();
  await page.screenshot({fullPage: true, path: join(images, "demo-graph.png")});
  if (problems.length > 0) throw new Error(problems.join("\n"));
} finally {
  await context?.close();
  await demo.stop();
  await rm(profile, {recursive: true, force: true});
}

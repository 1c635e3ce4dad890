// Keeps the page up to date: fetches the part that changes and updates what differs, so that the scroll position and the
// selection stay. Without this script the page is complete, but is not updated.
"use strict";

const every = 3000; // ms
const live = document.getElementById("live");

// update makes one node equal to another: it changes a node of the same name in place, and replaces others.
function update(old, now) {
  if (old.nodeName !== now.nodeName) {
    old.replaceWith(now);
    return;
  }
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== now.data) old.data = now.data;
    return;
  }
  if (old.nodeType !== Node.ELEMENT_NODE) return;
  for (const {name} of [...old.attributes]) {
    if (!now.hasAttribute(name)) old.removeAttribute(name);
  }
  for (const {name, value} of now.attributes) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  const before = [...old.childNodes], after = [...now.childNodes];
  after.forEach((child, i) => i < before.length ? update(before[i], child) : old.append(child));
  before.slice(after.length).forEach(child => child.remove());
}

async function refresh() {
  const response = await fetch("-/fleet/view", {cache: "no-store", signal: AbortSignal.timeout(10000)});
  if (!response.ok) throw new Error(`status ${response.status}`);
  const now = new DOMParser().parseFromString(await response.text(), "text/html").querySelector("main");
  const main = document.querySelector("main");
  if (!now) throw new Error("the response is not this page");
  if (now.dataset.version !== main.dataset.version) location.reload(); // the script may have changed, too
  update(main, now);
}

function say(text, stale) {
  if (live.textContent !== text) live.textContent = text;
  document.body.classList.toggle("stale", stale);
}

async function run() {
  if (!document.hidden) {
    try {
      await refresh();
      say(`Updated every ${every / 1000} s.`, false);
    } catch (err) {
      const at = document.querySelector("main time").textContent;
      say(`Not updated since ${at}: ${err.message}.`, true);
    }
  }
  setTimeout(run, every);
}

live.setAttribute("role", "status");
document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh().catch(() => {}); });
setTimeout(run, every);

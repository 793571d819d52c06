/** The page: enter the workspace, show what the address names, keep everything on show current. */

import { refreshControls } from "./controls.js";
import { Conversation, nameOf, Thread, topicOf } from "./conversation.js";
import { showDialog } from "./dialogs.js";
import { freshId, h, icon } from "./dom.js";
import { HomeTab } from "./home.js";
import { callsOn } from "./mentions.js";
import { authorName, refreshAges } from "./message.js";
import { Modals } from "./modal.js";
import { plainSummary } from "./mrkdwn.js";
import { drawAccount, drawPlaces } from "./sidebar.js";
import { applyStoredTheme } from "./theme.js";
import { Workspace } from "./workspace.js";

const TITLE = "Tocsin · local workspace";
const USER_KEY = "tocsin.user";
const TOAST_MS = 7000;

const spot = (id) => document.getElementById(id);
const narrow = matchMedia("(max-width: 760px)");
const hasKeyboard = matchMedia("(hover: hover)");

const workspace = new Workspace();
new Modals(workspace);
let conversation = null;
let thread = null;
let home = null;
let current = null;

// ── Addresses: #/<channel>[/<thread>], #/<app>[/messages] ────────────────────

function route() {
  const [, place = "", rest = ""] = location.hash.split("/");
  const app = workspace.app(place);
  if (app) return { app, tab: rest === "messages" ? "messages" : "home" };
  const channel = workspace.channel(place) ?? workspace.channel(workspace.defaultChannel) ?? workspace.channels[0];
  const itsApp = channel && workspace.apps.find((one) => workspace.appChannel(one)?.id === channel.id);
  if (itsApp) return { app: itsApp, tab: "messages", thread: rest };
  return { channel, thread: place === channel?.id ? rest : "" };
}

const goTo = (...parts) => {
  location.hash = `/${parts.filter(Boolean).join("/")}`;
};

async function show() {
  const where = route();
  const channel = where.app ? (where.tab === "messages" ? workspace.appChannel(where.app) : null) : where.channel;
  const key = `${workspace.me} ${where.app?.id ?? ""} ${where.tab ?? ""} ${channel?.id ?? ""}`;
  closeDrawer();
  if (key !== current) {
    conversation?.settle();
    current = key;
    conversation = home = null;
    await open(where, channel);
  }
  await showThread(channel, where.thread);
  drawSide();
}

async function open(where, channel) {
  if (where.app && where.tab === "home") home = new HomeTab(workspace, where.app);
  else if (channel) conversation = new Conversation(workspace, channel, { onThread: (ts) => goTo(channel.id, ts) });
  const body = home?.node ?? conversation?.node ?? h("p", { class: "loading" }, where.app ? `There are no messages with ${where.app.name} yet.` : "There are no channels yet.");
  spot("main").replaceChildren(head(where, channel), body);
  await Promise.all([home?.open(), conversation?.open()]).catch((error) => toast(error.message));
  if (hasKeyboard.matches && !document.querySelector("dialog[open]")) conversation?.composer?.focus();
}

function head({ app, tab }, channel) {
  const title = app ? app.name : nameOf(channel, workspace);
  const note = app ? "" : channel.is_im ? "" : topicOf(channel);
  const sign = !app && !channel.is_im && icon(channel.is_archived ? "archive" : channel.is_private ? "lock" : "hash", 18);
  return h(
    "header",
    { class: "pane-head" },
    h("button", { type: "button", class: "icon-button only-narrow", id: "open-drawer", "aria-label": "Channels and people", "aria-controls": "sidebar", "aria-expanded": "false", on: { click: openDrawer } }, icon("menu", 20), h("span", { class: "unread-dot", id: "menu-dot", hidden: true })),
    h("div", { class: "pane-title" }, h("h1", {}, sign, sign ? title.replace(/^#/, "") : title), note && h("p", { class: "topic", title: note }, note)),
    app && tabs(app, tab),
    h("button", { type: "button", class: "button is-demo only-narrow", on: { click: openDemo } }, icon("flask", 16), "Demo"),
  );
}

function tabs(app, tab) {
  const one = (name, label) => h("a", { class: "tab", href: name === "home" ? `#/${app.id}` : `#/${app.id}/messages`, "aria-current": tab === name ? "page" : null }, label);
  return h("nav", { class: "tabs", "aria-label": `Tabs of ${app.name}` }, one("home", "Home"), one("messages", "Messages"));
}

// ── The thread beside the channel ────────────────────────────────────────────

async function showThread(channel, ts) {
  if (!ts || !channel) return closeThread();
  if (thread?.ts === ts && thread.channel.id === channel.id) return;
  thread = new Thread(workspace, channel, ts, { onClose: () => goTo(channel.id) });
  spot("thread-slot").replaceChildren(thread.node);
  document.body.classList.add("has-thread");
  fitToWidth();
  await thread.open().catch((error) => toast(error.message));
  if (hasKeyboard.matches) thread?.composer?.focus();
  else thread?.node.querySelector("button")?.focus();
}

function closeThread() {
  if (!thread) return;
  const { ts } = thread;
  thread = null;
  spot("thread-slot").replaceChildren();
  document.body.classList.remove("has-thread");
  fitToWidth();
  const message = [...document.querySelectorAll("#main .message")].find((node) => node.dataset.ts === ts);
  (message?.querySelector(".thread-summary") ?? message)?.focus({ preventScroll: true });
}

// ── Drawer, demo, toasts ─────────────────────────────────────────────────────

/** What lies under a full-screen pane or the drawer must not take the focus. */
function fitToWidth() {
  const isOpen = document.body.classList.contains("drawer-open");
  spot("sidebar").inert = narrow.matches && !isOpen;
  spot("main").inert = narrow.matches && (isOpen || thread !== null);
  spot("scrim").hidden = !(narrow.matches && isOpen);
}

function openDrawer() {
  document.body.classList.add("drawer-open");
  fitToWidth();
  spot("open-drawer")?.setAttribute("aria-expanded", "true");
  (document.querySelector("#places [aria-current=page]") ?? document.querySelector("#places a"))?.focus();
}

function closeDrawer() {
  if (!document.body.classList.contains("drawer-open")) return;
  document.body.classList.remove("drawer-open");
  fitToWidth();
  spot("open-drawer")?.setAttribute("aria-expanded", "false");
  spot("open-drawer")?.focus();
}

let demoSheet = null;

function openDemo() {
  const title = freshId("title");
  const levers = h("div");
  const close = h("button", { type: "button", class: "icon-button", "aria-label": "Close" }, icon("close"));
  const dialog = h("dialog", { class: "dialog is-sheet", "aria-labelledby": title }, h("div", { class: "dialog-head" }, h("h2", { id: title }, "Demo"), close), h("div", { class: "dialog-body demo" }, levers));
  close.addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.addEventListener("close", () => (demoSheet = null));
  demoSheet = levers;
  drawLevers();
  showDialog(dialog);
}

function drawLevers() {
  for (const holder of [spot("levers"), demoSheet]) if (holder) refreshControls(holder, workspace, { onProblem: toast });
}

function toast(text) {
  if (!text) return;
  const close = h("button", { type: "button", class: "icon-button", "aria-label": "Dismiss", on: { click: () => node.remove() } }, icon("close", 16));
  const node = h("div", { class: "toast" }, h("span", {}, text), close);
  spot("toasts").append(node);
  setTimeout(() => node.remove(), TOAST_MS);
}

// ── Keeping current ──────────────────────────────────────────────────────────

let sideIsDue = false;

/** Many things happen at once; the sidebar is drawn once for all of them. */
function drawSide() {
  if (sideIsDue) return;
  sideIsDue = true;
  setTimeout(() => {
    sideIsDue = false;
    drawSideNow();
  });
}

function drawSideNow() {
  const where = route();
  const focused = document.activeElement?.dataset?.place;
  spot("places").replaceChildren(...drawPlaces(workspace, where.app?.id ?? where.channel?.id));
  if (focused) document.querySelector(`#places [data-place="${CSS.escape(focused)}"]`)?.focus();
  const mentions = workspace.channels.reduce((sum, channel) => sum + workspace.mentions(channel), 0);
  document.title = mentions ? `(${mentions}) ${TITLE}` : TITLE;
  const dot = spot("menu-dot");
  if (dot) dot.hidden = !workspace.channels.some((channel) => workspace.unread(channel));
}

function announce({ channel, message }) {
  if (message.user === workspace.me && !message.is_ephemeral) return;
  const place = workspace.channel(channel);
  const isHere = conversation && route().channel?.id === channel;
  if (!isHere && !callsOn(message, workspace)) return;
  const text = message.text || message.attachments?.[0]?.fallback || "a message";
  spot("news").textContent = `${authorName(message, workspace)}${isHere || !place ? "" : ` in ${nameOf(place, workspace)}`}: ${plainSummary(text, workspace)}`;
}

function lost(isLost) {
  const banner = spot("banner");
  banner.hidden = !isLost;
  banner.textContent = isLost ? "The connection to the workspace broke. Reconnecting…" : "";
}

workspace.addEventListener("state", drawSide);
workspace.addEventListener("places", ({ detail }) => {
  if (conversation?.channel.id !== detail.channel) return;
  // Renamed, archived or gone: what stands in the header and below it has changed.
  current = null;
  show();
});
workspace.addEventListener("history", () => conversation?.draw());
workspace.addEventListener("thread", () => thread?.draw());
workspace.addEventListener("home", ({ detail }) => home?.draw(detail.view));
workspace.addEventListener("arrived", ({ detail }) => announce(detail));
workspace.addEventListener("controls", drawLevers);
workspace.addEventListener("notice", ({ detail }) => toast(detail.text));
workspace.addEventListener("link", ({ detail }) => lost(detail.lost));
workspace.addEventListener("reconnected", () => home?.open());

// ── Entering ─────────────────────────────────────────────────────────────────

async function enter(user) {
  const showing = route();
  await workspace.enter(user);
  sessionStorage.setItem(USER_KEY, workspace.me);
  spot("account").replaceChildren(drawAccount(workspace, enter));
  // Somebody else's direct conversation is not ours to look at.
  if (showing.app && showing.tab === "messages") history.replaceState(null, "", `#/${showing.app.id}/messages`);
  current = null;
  await show();
}

/** A message's permalink leads to ?channel=…&ts=…; it is shown at its address here. */
function followPermalink(query) {
  const [channel, ts] = [query.get("channel"), query.get("ts")];
  if (channel) history.replaceState(null, "", `${location.pathname}#/${channel}${ts ? `/${ts}` : ""}`);
}

async function begin() {
  applyStoredTheme();
  fitToWidth();
  const query = new URLSearchParams(location.search);
  followPermalink(query);
  const wished = query.get("user") ?? sessionStorage.getItem(USER_KEY) ?? undefined;
  try {
    await enter(wished);
  } catch (error) {
    const again = h("button", { type: "button", class: "button", on: { click: begin } }, "Try again");
    spot("main").replaceChildren(h("div", { class: "loading" }, h("p", {}, error.message), again));
  }
}

setInterval(refreshAges, 30_000);
narrow.addEventListener("change", fitToWidth);
window.addEventListener("hashchange", () => show());
spot("scrim").addEventListener("click", closeDrawer);
document.addEventListener("keydown", (event) => event.key === "Escape" && !event.defaultPrevented && closeDrawer());
spot("skip").addEventListener("click", (event) => {
  event.preventDefault();
  (document.querySelector("#main .timeline, #main .home") ?? spot("main")).focus();
});
document.addEventListener("visibilitychange", () => conversation?.draw());
begin();

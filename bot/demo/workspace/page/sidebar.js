/** The sidebar: the workspace, its places, and who one pretends to be. */

import { appAvatar, personAvatar } from "./avatar.js";
import { bell, h, icon } from "./dom.js";
import { moveAmong, openPopup } from "./popup.js";
import { nextTheme, themeName } from "./theme.js";

/** The workspace's name, its connection and its places. `current` is the id of the one that is open. */
export function drawPlaces(workspace, current) {
  const places = workspace.channels.filter((one) => !one.is_im).sort(byName);
  const withApps = new Set(workspace.apps.map((app) => workspace.appChannel(app)?.id));
  const people = workspace.channels.filter((one) => one.is_im && !withApps.has(one.id));
  return [
    h(
      "header",
      { class: "sidebar-head" },
      h("span", { class: "team-sign", "aria-hidden": "true" }, bell(20)),
      h("div", { class: "team" }, h("span", { class: "team-name" }, workspace.team.name ?? "Tocsin"), connection(workspace)),
      themeButton(),
    ),
    h(
      "nav",
      { class: "places", "aria-label": "Channels and people" },
      group("Channels", places.map((channel) => place(channel, workspace, current))),
      people.length > 0 && group("Direct messages", people.map((channel) => place(channel, workspace, current))),
      group("Apps", workspace.apps.map((app) => appPlace(app, workspace, current))),
    ),
  ];
}

const byName = (a, b) => Number(Boolean(a.is_archived)) - Number(Boolean(b.is_archived)) || a.name.localeCompare(b.name);

function group(title, rows) {
  return h("section", { class: "place-group" }, h("h2", {}, title), h("ul", {}, rows.map((row) => h("li", {}, row))));
}

function place(channel, workspace, current) {
  const name = channel.is_im ? workspace.realName(workspace.partner(channel)) : channel.name;
  const sign = channel.is_im
    ? personAvatar(name, "avatar is-tiny")
    : icon(channel.is_archived ? "archive" : channel.is_private ? "lock" : "hash", 16);
  const notes = [channel.is_private && "private", channel.is_archived && "archived"].filter(Boolean).join(", ");
  return link({ id: channel.id, sign, name, notes, channel, workspace, current });
}

function appPlace(app, workspace, current) {
  const channel = workspace.appChannel(app);
  const status = app.connected ? "connected" : "not connected";
  const sign = [appAvatar("avatar is-tiny"), h("span", { class: `presence ${app.connected ? "is-on" : ""}`, "aria-hidden": "true" })];
  return link({ id: app.id, sign, name: app.name, notes: `app, ${status}`, channel, workspace, current });
}

function link({ id, sign, name, notes, channel, workspace, current }) {
  const unread = channel && workspace.unread(channel);
  const mentions = channel ? workspace.mentions(channel) : 0;
  const state = mentions ? `${mentions} ${mentions === 1 ? "mention" : "mentions"}` : unread ? "unread" : "";
  const spoken = [notes, state].filter(Boolean).join(", ");
  const classes = ["place", unread && "is-unread", channel?.is_archived && "is-archived"].filter(Boolean).join(" ");
  return h(
    "a",
    { class: classes, href: `#/${id}`, data: { place: id }, "aria-current": current === id ? "page" : null },
    h("span", { class: "place-sign" }, sign),
    h("span", { class: "place-name" }, name),
    spoken && h("span", { class: "visually-hidden" }, `(${spoken})`),
    mentions > 0 ? h("span", { class: "badge", "aria-hidden": "true" }, mentions) : unread && h("span", { class: "unread-dot" }),
  );
}

function connection(workspace) {
  const away = workspace.apps.filter((app) => !app.connected);
  const on = workspace.apps.length > 0 && !away.length;
  const words = !workspace.apps.length ? "No app yet" : on ? `${workspace.apps.map((app) => app.name).join(", ")} is connected` : `${away.map((app) => app.name).join(", ")} is not connected`;
  return h("p", { class: `connection ${on ? "is-on" : ""}`, role: "status" }, h("span", { class: "connection-light", "aria-hidden": "true" }), words);
}

function themeButton() {
  const button = h("button", { type: "button", class: "icon-button on-dark" });
  const draw = () => {
    const { name, label } = themeName();
    button.replaceChildren(icon(name));
    button.title = label;
    button.setAttribute("aria-label", label);
  };
  button.addEventListener("click", () => (nextTheme(), draw()));
  draw();
  return button;
}

/** Who one pretends to be, and the menu to change that. */
export function drawAccount(workspace, switchTo) {
  const name = workspace.realName(workspace.me);
  const button = h(
    "button",
    { type: "button", class: "account", "aria-haspopup": "menu", "aria-expanded": "false" },
    personAvatar(name, "avatar is-small"),
    h("span", { class: "account-words" }, h("span", { class: "quiet" }, "You are "), h("strong", {}, name), h("span", { class: "visually-hidden" }, "(be someone else)")),
    icon("chevron", 16),
  );
  button.addEventListener("click", () => {
    if (button.getAttribute("aria-expanded") === "true") return;
    const menu = h("div", { class: "menu", role: "menu", "aria-label": "Be someone else" });
    const popup = openPopup(button, menu, { width: 220 });
    const items = workspace.people.map((person) =>
      h(
        "button",
        { type: "button", class: "menu-item", role: "menuitemradio", "aria-checked": String(person.id === workspace.me), tabindex: "-1", on: { click: () => (popup.close(), switchTo(person.id)) } },
        personAvatar(workspace.realName(person.id), "avatar is-tiny"),
        h("span", {}, workspace.realName(person.id)),
        person.id === workspace.me && icon("check", 16),
      ),
    );
    menu.append(...items);
    moveAmong(menu, "[role=menuitemradio]");
    items[0]?.focus();
  });
  return h("div", { class: "account-frame" }, button);
}

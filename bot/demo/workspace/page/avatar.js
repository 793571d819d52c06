/** Faces: initials on a colour for people, the bell for the app. */

import { bell, h } from "./dom.js";
import { emoji } from "./emoji.js";

const COLOURS = ["#8d3b72", "#2f6690", "#3a7d44", "#9c5518", "#5b4b9e", "#a23b3b", "#19747e", "#6b5b2e"];

function colourOf(text) {
  let sum = 0;
  for (const letter of text) sum = (sum * 31 + letter.codePointAt(0)) % 9973;
  return COLOURS[sum % COLOURS.length];
}

function initials(name) {
  const [first = "?", second = ""] = name.trim().split(/[\s._-]+/);
  return `${first[0] ?? "?"}${second[0] ?? ""}`.toUpperCase();
}

export function personAvatar(name, className = "avatar") {
  return h("span", { class: className, "aria-hidden": "true", style: { "background-color": colourOf(name) } }, initials(name));
}

export function appAvatar(className = "avatar", iconEmoji = "") {
  const own = iconEmoji && emoji(iconEmoji.replaceAll(":", ""));
  return h("span", { class: `${className} is-app`, "aria-hidden": "true" }, own || bell(22));
}

/** The face of a message's author. */
export function avatarOf(message, workspace) {
  const app = workspace.appOf(message);
  if (app) return appAvatar("avatar", message.icons?.emoji);
  return personAvatar(workspace.realName(message.user ?? ""));
}

/** What the five kinds of select offer, and how Slack names what was chosen. */

import { h } from "./dom.js";
import { textObject } from "./mrkdwn.js";

const KINDS = {
  static: { one: "selected_option", many: "selected_options", initial: "initial_option", initials: "initial_options" },
  users: { one: "selected_user", many: "selected_users", initial: "initial_user", initials: "initial_users" },
  channels: { one: "selected_channel", many: "selected_channels", initial: "initial_channel", initials: "initial_channels" },
  conversations: {
    one: "selected_conversation", many: "selected_conversations", initial: "initial_conversation", initials: "initial_conversations",
  },
};

const kindOf = (spec) => KINDS[spec.type.replace(/^multi_/, "").replace(/_select$/, "")];
const isMany = (spec) => spec.type.startsWith("multi_");

/** The groups of options a select offers. */
export function choiceGroups(spec, workspace) {
  if (kindOf(spec) === KINDS.static) {
    const groups = spec.option_groups ?? [{ options: spec.options ?? [] }];
    return groups.map((group) => ({
      label: group.label && (() => textObject(group.label, workspace)),
      options: group.options.map((option) => staticOption(option, workspace)),
    }));
  }
  if (kindOf(spec) === KINDS.users) return [{ options: workspace.users.map((user) => personOption(user, workspace)) }];
  return [{ options: conversations(spec, workspace) }];
}

function staticOption(option, workspace) {
  const describe = option.description
    ? () => h("span", { class: "option-description" }, textObject(option.description, workspace))
    : undefined;
  return { key: option.value, text: option.text?.text ?? "", draw: () => h("span", {}, textObject(option.text, workspace)), describe, raw: option };
}

function personOption(user, workspace) {
  const name = workspace.userName(user.id);
  return { key: user.id, text: name, draw: () => h("span", {}, name), raw: user.id };
}

/** Which conversations a filter lets through: `include` of im, mpim, private, public. */
function conversations(spec, workspace) {
  const include = spec.type.includes("channels") ? ["public"] : spec.filter?.include;
  const sort = (channel) => (channel.is_im ? "im" : channel.is_private ? "private" : "public");
  return workspace.channels
    .filter((channel) => !channel.is_archived && (!include || include.includes(sort(channel))))
    .map((channel) => {
      const name = `${channel.is_im ? "" : "#"}${workspace.channelName(channel)}`;
      return { key: channel.id, text: name, draw: () => h("span", {}, name), raw: channel.id };
    });
}

/** The keys chosen at first, or those of an entry already made. */
export function initialKeys(spec, workspace, entry) {
  const kind = kindOf(spec);
  const held = entry ? entry[isMany(spec) ? kind.many : kind.one] : spec[isMany(spec) ? kind.initials : kind.initial];
  return [held ?? []].flat().map((one) => (typeof one === "string" ? one : one.value));
}

/** The entry, as Slack writes it, for the keys chosen. */
export function readChoice(spec, keys, groups) {
  const kind = kindOf(spec);
  const all = groups.flatMap((group) => group.options);
  const raw = keys.map((key) => all.find((option) => option.key === key)?.raw ?? key);
  return isMany(spec) ? { [kind.many]: raw } : { [kind.one]: raw[0] ?? null };
}
